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

from sispat.kernel.permissions import Papel

if TYPE_CHECKING:
    from sispat.kernel.context import Context

__all__ = ["app", "com_banco"]

app = typer.Typer(help="Pessoas que entram no sistema.", no_args_is_help=True)

_R = TypeVar("_R")

Email = Annotated[str, typer.Option("--email", help="E-mail com que a pessoa entra.")]
Setores = Annotated[list[str] | None, typer.Option("--setor", help="Código de um setor ao alcance; repetível.")]
Definitiva = Annotated[
    bool, typer.Option("--definitiva", help="Quem digita a senha é a própria pessoa: não terá de trocá-la ao entrar.")
]


@app.command("criar")
def criar(
    email: Email,
    nome: Annotated[str, typer.Option("--nome", help="Nome da pessoa.")],
    papel: Annotated[Papel, typer.Option("--papel", help="O que a pessoa é na prefeitura.")],
    setor: Setores = None,
    definitiva: Definitiva = False,
    integracao: Annotated[
        bool, typer.Option("--integracao", help="Outro programa: sem senha, entra por chaves (`sispat chave criar`).")
    ] = False,
) -> None:
    """Cria uma pessoa; a senha é pedida, ou lida da entrada padrão. Com --integracao, cria uma integração, sem senha."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import NovoUsuario

    typed = {"email": email, "nome": nome, "papel": papel, "setores": setor or [], "integracao": integracao}
    novo = NovoUsuario.parse(typed)
    password = None if integracao else _senha()
    com_banco(lambda ctx: accounts.criar(ctx, novo, password, provisional=not (definitiva or integracao)))
    later = "" if definitiva else " Crie agora a chave dela." if integracao else _PROVISORIA
    typer.echo(f"Criado: {novo.nome} <{novo.email}>, {novo.papel}.{later}")


@app.command("senha")
def senha(email: Email, definitiva: Definitiva = False) -> None:
    """Troca a senha de uma pessoa e encerra as sessões abertas dela."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import TrocaDeSenha

    troca = TrocaDeSenha.parse({"email": email, "senha": _senha()})

    async def trocar(ctx: Context) -> None:
        id_ = await accounts.por_email(ctx, troca.email)
        await accounts.definir_senha(ctx, id_, troca.senha, provisional=not definitiva)

    com_banco(trocar)
    typer.echo(
        f"Senha de {troca.email} trocada; as sessões abertas foram encerradas.{'' if definitiva else _PROVISORIA}"
    )


@app.command("listar")
def listar() -> None:
    """Mostra todas as pessoas, uma por linha: e-mail, nome, papel, setores, se pode entrar."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import ListaDeUsuarios

    async def ler(ctx: Context) -> None:
        asked: ListaDeUsuarios | None = ListaDeUsuarios(limit=200)
        while asked is not None:
            found = await accounts.listar(ctx, asked)
            for row in found.rows:
                estado = "" if row["ativo"] else "desativado"
                typer.echo("\t".join((row["email"], row["nome"], row["papel"], ",".join(row["setores"]), estado)))
            asked = ListaDeUsuarios(limit=200, cursor=found.following) if found.following else None

    com_banco(ler)


@app.command("editar")
def editar(
    email: Email,
    nome: Annotated[str | None, typer.Option("--nome", help="O nome novo.")] = None,
    papel: Annotated[Papel | None, typer.Option("--papel", help="O papel novo.")] = None,
    setor: Setores = None,
    novo_email: Annotated[str | None, typer.Option("--novo-email", help="O e-mail novo.")] = None,
    cpf: Annotated[str | None, typer.Option("--cpf", help="O CPF, com que se entra pelo gov.br.")] = None,
) -> None:
    """Corrige o que for dado de uma pessoa; com --setor, ficam ao alcance dela esses e nenhum outro."""
    from sispat.pessoas import accounts
    from sispat.pessoas.fields import DadosDeUsuario

    given = {"nome": nome, "papel": papel, "setores": setor, "email": novo_email, "cpf": cpf}

    async def corrigir(ctx: Context) -> None:
        row = await accounts.obter(ctx, await accounts.por_email(ctx, email))
        values = {name: row[name] if value is None else value for name, value in given.items()}
        await accounts.editar(ctx, row["id"], DadosDeUsuario.parse(values), row["versao"])

    com_banco(corrigir)
    typer.echo(f"Gravado: {novo_email or email}.")


@app.command("desativar")
def desativar(email: Email) -> None:
    """Tira o acesso de uma pessoa, na hora; o último administrador fica."""
    from sispat.pessoas import accounts

    async def tirar(ctx: Context) -> None:
        await accounts.desativar(ctx, await accounts.por_email(ctx, email))

    com_banco(tirar)
    typer.echo(f"Desativado: {email}. As sessões abertas foram encerradas.")


@app.command("reativar")
def reativar(email: Email) -> None:
    """Devolve o acesso a uma pessoa, com a senha que ela tinha."""
    from sispat.pessoas import accounts

    async def devolver(ctx: Context) -> None:
        await accounts.reativar(ctx, await accounts.por_email(ctx, email))

    com_banco(devolver)
    typer.echo(f"Reativado: {email}.")


@app.command("sessoes")
def sessoes(
    email: Email,
    encerrar: Annotated[bool, typer.Option("--encerrar", help="Encerra todas, na hora.")] = False,
) -> None:
    """Mostra as sessões abertas de uma pessoa, uma por linha, ou as encerra."""
    from sispat.pessoas import accounts
    from sispat.settings import carregar

    idle = timedelta(seconds=carregar().session_idle)

    async def fazer(ctx: Context) -> None:
        id_ = await accounts.por_email(ctx, email)
        if encerrar:
            typer.echo(f"Encerradas: {await accounts.encerrar_sessoes(ctx, id_)}.")
            return
        for row in await accounts.sessoes(ctx, id_, idle):
            quando = f"{row['vista_em']:%Y-%m-%d %H:%M}"
            typer.echo("\t".join((str(row["id"]), quando, row["endereco"] or "", row["navegador"] or "")))

    com_banco(fazer)


@app.command("segundo-fator")
def segundo_fator(
    email: Email,
    retirar: Annotated[bool, typer.Option("--retirar", help="Retira-o e encerra as sessões da pessoa.")] = False,
) -> None:
    """Diz se uma pessoa tem segundo fator, ou o retira: para quem perdeu o celular e os códigos de recuperação."""
    from sispat.pessoas import accounts, second_factor

    async def fazer(ctx: Context) -> None:
        id_ = await accounts.por_email(ctx, email)
        if retirar:
            await second_factor.retirar(ctx, id_)
        ativo = (await accounts.obter(ctx, id_))["segundo_fator"]
        typer.echo(f"{email}: {'com' if ativo else 'sem'} segundo fator.")

    com_banco(fazer)


@app.command("recifrar")
def recifrar() -> None:
    """Cifra de novo, com a primeira chave de SISPAT_SECRET, as chaves dos segundos fatores: depois de trocá-la."""
    from sispat.kernel.sealing import Sealer
    from sispat.pessoas import second_factor
    from sispat.settings import carregar

    settings = carregar()
    if not settings.secrets:
        typer.echo("SISPAT_SECRET não está definida: não há com que cifrar.", err=True)
        raise typer.Exit(1)

    async def fazer(ctx: Context) -> None:
        done, seen = await second_factor.recifrar(ctx, Sealer(settings.secrets))
        typer.echo(f"Cifradas de novo: {done} de {seen}.")

    com_banco(fazer)


_PROVISORIA = " A senha é provisória: será trocada ao entrar."


def _senha() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Senha", hide_input=True, confirmation_prompt="Repita a senha"))
    return sys.stdin.readline().rstrip("\r\n")


def com_banco(fazer: Callable[[Context], Awaitable[_R]]) -> None:
    """Do something on the migrated database as the operator."""
    import psycopg

    from sispat.cli._preparo import atualizar, com_prazo
    from sispat.cli._servidor import banco_em_uso, encerravel
    from sispat.pessoas.operator import operator_context
    from sispat.settings import carregar

    with encerravel(), banco_em_uso(carregar()) as dsn:
        atualizar(dsn)

        async def rodar() -> None:
            conn: psycopg.AsyncConnection[Any]
            async with await psycopg.AsyncConnection.connect(com_prazo(dsn).conninfo) as conn:
                await fazer(operator_context(conn))

        asyncio.run(rodar())
