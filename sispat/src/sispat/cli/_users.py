"""`sispat usuario ...`: people who use the service, administered from the command line.

Promises: a password comes from a prompt, or from the first line of standard input when that is not a terminal; it is
provisional, unless `--definitiva` says that the person typed it. Everything is audited.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from sispat.kernel.dates import read_date
from sispat.kernel.i18n import _, gettext_noop
from sispat.kernel.permissions import Papel

if TYPE_CHECKING:
    from sispat.kernel.context import Context

__all__ = ["app", "as_operator"]

app = typer.Typer(help=_("Pessoas que entram no sistema."), no_args_is_help=True)

_R = TypeVar("_R")

Email = Annotated[str, typer.Option("--email", help=_("E-mail com que a pessoa entra."))]
Setores = Annotated[list[str] | None, typer.Option("--setor", help=_("Código de um setor ao alcance; repetível."))]
AcessoAte = Annotated[
    str | None,
    typer.Option("--acesso-ate", help=_("O último dia em que entra, como 31/12/2026; obrigatório para um auditor.")),
]
Definitiva = Annotated[
    bool,
    typer.Option("--definitiva", help=_("Quem digita a senha é a própria pessoa: não terá de trocá-la ao entrar.")),
]


@app.command(
    "criar",
    help=_(
        "Cria uma pessoa; a senha é pedida, ou lida da entrada padrão. Com --integracao, cria uma integração, sem senha."
    ),
)
def criar(
    email: Email,
    nome: Annotated[str, typer.Option("--nome", help=_("Nome da pessoa."))],
    papel: Annotated[Papel, typer.Option("--papel", help=_("O que a pessoa é na prefeitura."))],
    setor: Setores = None,
    acesso_ate: AcessoAte = None,
    definitiva: Definitiva = False,
    integracao: Annotated[
        bool,
        typer.Option("--integracao", help=_("Outro programa: sem senha, entra por chaves (`sispat chave criar`).")),
    ] = False,
) -> None:
    """Create a person; the password is asked for, or read from standard input. With --integracao, none is."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import NovoUsuario
    from sispat.settings import load_settings

    typed = {"email": email, "nome": nome, "papel": papel, "setores": setor or [], "integracao": integracao}
    new = NovoUsuario.parse({**typed, "acesso_ate": read_date(acesso_ate) if acesso_ate else None})
    password, zone = None if integracao else _password(), load_settings().timezone
    as_operator(lambda ctx: accounts.criar(ctx, new, zone, password, provisional=not (definitiva or integracao)))
    later = "" if definitiva else _("Crie agora a chave dela.") if integracao else _(_PROVISIONAL)
    made = _("Criado: %(name)s <%(email)s>, %(role)s.", name=new.nome, email=new.email, role=new.papel)
    typer.echo(f"{made} {later}".rstrip())


@app.command("senha", help=_("Troca a senha de uma pessoa e encerra as sessões abertas dela."))
def senha(email: Email, definitiva: Definitiva = False) -> None:
    """Change the password of a person and end their open sessions."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import TrocaDeSenha

    wanted = TrocaDeSenha.parse({"email": email, "senha": _password()})

    async def change(ctx: Context) -> None:
        id_ = await accounts.por_email(ctx, wanted.email)
        await accounts.definir_senha(ctx, id_, wanted.senha, provisional=not definitiva)

    as_operator(change)
    done = _("Senha de %(email)s trocada; as sessões abertas foram encerradas.", email=wanted.email)
    typer.echo(done if definitiva else f"{done} {_(_PROVISIONAL)}")


@app.command("listar", help=_("Mostra todas as pessoas, uma por linha: e-mail, nome, papel, setores, se pode entrar."))
def listar() -> None:
    """Show everybody, one per line: e-mail, name, role, departments, whether they can sign in."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import ListaDeUsuarios

    async def read(ctx: Context) -> None:
        asked: ListaDeUsuarios | None = ListaDeUsuarios(limit=200)
        while asked is not None:
            found = await accounts.listar(ctx, asked)
            for row in found.rows:
                state = "" if row["ativo"] else _("desativado")
                if row["ativo"] and row["acesso_ate"]:
                    day = f"{row['acesso_ate']:%d/%m/%Y}"
                    state = _("terminou em %(day)s", day=day) if row["acesso_terminado"] else _("até %(day)s", day=day)
                typer.echo("\t".join((row["email"], row["nome"], row["papel"], ",".join(row["setores"]), state)))
            asked = ListaDeUsuarios(limit=200, cursor=found.following) if found.following else None

    as_operator(read)


@app.command(
    "editar", help=_("Corrige o que for dado de uma pessoa; com --setor, ficam ao alcance dela esses e nenhum outro.")
)
def editar(
    email: Email,
    nome: Annotated[str | None, typer.Option("--nome", help=_("O nome novo."))] = None,
    papel: Annotated[Papel | None, typer.Option("--papel", help=_("O papel novo."))] = None,
    setor: Setores = None,
    novo_email: Annotated[str | None, typer.Option("--novo-email", help=_("O e-mail novo."))] = None,
    cpf: Annotated[str | None, typer.Option("--cpf", help=_("O CPF, com que se entra pelo gov.br."))] = None,
    acesso_ate: AcessoAte = None,
) -> None:
    """Correct what is given of a person; with --setor, they reach those departments and no others."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import DadosDeUsuario
    from sispat.settings import load_settings

    given = {"nome": nome, "papel": papel, "setores": setor, "email": novo_email, "cpf": cpf}
    given["acesso_ate"] = read_date(acesso_ate) if acesso_ate else None
    zone = load_settings().timezone

    async def correct(ctx: Context) -> None:
        row = await accounts.obter(ctx, await accounts.por_email(ctx, email))
        values = {name: row[name] if value is None else value for name, value in given.items()}
        await accounts.editar(ctx, row["id"], DadosDeUsuario.parse(values), row["versao"], zone)

    as_operator(correct)
    typer.echo(_("Gravado: %(email)s.", email=novo_email or email))


@app.command("desativar", help=_("Tira o acesso de uma pessoa, na hora; o último administrador fica."))
def desativar(email: Email) -> None:
    """Retire a person, at once; the last administrator stays."""
    from sispat.pessoas import accounts

    async def retire(ctx: Context) -> None:
        await accounts.desativar(ctx, await accounts.por_email(ctx, email))

    as_operator(retire)
    typer.echo(_("Desativado: %(email)s. As sessões abertas foram encerradas.", email=email))


@app.command("reativar", help=_("Devolve o acesso a uma pessoa, com a senha que ela tinha."))
def reativar(email: Email) -> None:
    """Let a person in again, with the password they had."""
    from sispat.pessoas import accounts

    async def restore(ctx: Context) -> None:
        await accounts.reativar(ctx, await accounts.por_email(ctx, email))

    as_operator(restore)
    typer.echo(_("Reativado: %(email)s.", email=email))


@app.command("sessoes", help=_("Mostra as sessões abertas de uma pessoa, uma por linha, ou as encerra."))
def sessoes(
    email: Email,
    encerrar: Annotated[bool, typer.Option("--encerrar", help=_("Encerra todas, na hora."))] = False,
) -> None:
    """Show the open sessions of a person, one per line, or end them."""
    from sispat.pessoas import accounts
    from sispat.settings import load_settings

    idle = timedelta(seconds=load_settings().session_idle)

    async def act(ctx: Context) -> None:
        id_ = await accounts.por_email(ctx, email)
        if encerrar:
            typer.echo(_("Encerradas: %(number)s.", number=await accounts.encerrar_sessoes(ctx, id_)))
            return
        for row in await accounts.sessoes(ctx, id_, idle):
            seen = f"{row['vista_em']:%Y-%m-%d %H:%M}"
            typer.echo("\t".join((str(row["id"]), seen, row["endereco"] or "", row["navegador"] or "")))

    as_operator(act)


@app.command(
    "segundo-fator",
    help=_("Diz se uma pessoa tem segundo fator, ou o retira: para quem perdeu o celular e os códigos de recuperação."),
)
def segundo_fator(
    email: Email,
    retirar: Annotated[bool, typer.Option("--retirar", help=_("Retira-o e encerra as sessões da pessoa."))] = False,
) -> None:
    """Say whether a person has a second factor, or remove it: for who lost the phone and the recovery codes."""
    from sispat.pessoas import accounts, second_factor

    async def act(ctx: Context) -> None:
        id_ = await accounts.por_email(ctx, email)
        if retirar:
            await second_factor.retirar(ctx, id_)
        active = (await accounts.obter(ctx, id_))["segundo_fator"]
        typer.echo(
            _("%(email)s: com segundo fator.", email=email)
            if active
            else _("%(email)s: sem segundo fator.", email=email)
        )

    as_operator(act)


@app.command(
    "recifrar",
    help=_("Cifra de novo, com a primeira chave de SISPAT_SECRET, as chaves dos segundos fatores: depois de trocá-la."),
)
def recifrar() -> None:
    """Encrypt the secrets of second factors again, with the first key of SISPAT_SECRET: after it was changed."""
    from sispat.kernel.sealing import Sealer
    from sispat.pessoas import second_factor
    from sispat.settings import load_settings

    settings = load_settings()
    if not settings.secrets:
        typer.echo(_("SISPAT_SECRET não está definida: não há com que cifrar."), err=True)
        raise typer.Exit(1)

    async def act(ctx: Context) -> None:
        done, seen = await second_factor.recifrar(ctx, Sealer(settings.secrets))
        typer.echo(_("Cifradas de novo: %(done)s de %(all)s.", done=done, all=seen))

    as_operator(act)


_PROVISIONAL = gettext_noop("A senha é provisória: será trocada ao entrar.")


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(_("Senha"), hide_input=True, confirmation_prompt=_("Repita a senha")))
    return sys.stdin.readline().rstrip("\r\n")


def as_operator(act: Callable[[Context], Awaitable[_R]]) -> None:
    """Do something on the migrated database as the operator."""
    import psycopg

    from sispat.cli._database import database_in_use, terminable
    from sispat.cli._preparation import bring_up_to_date, with_time_limit
    from sispat.pessoas.operator import operator_context
    from sispat.settings import load_settings

    with terminable(), database_in_use(load_settings()) as dsn:
        bring_up_to_date(dsn)

        async def run() -> None:
            conn: psycopg.AsyncConnection[Any]
            async with await psycopg.AsyncConnection.connect(with_time_limit(dsn).conninfo) as conn:
                await act(operator_context(conn))

        asyncio.run(run())
