"""`sispat chave ...`: API keys of integrations, administered from the command line.

Promises: the secret of a new key is all that `criar` writes to standard output, this once; everything is audited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sispat.cli._users import as_operator
from sispat.kernel.i18n import _

if TYPE_CHECKING:
    from sispat.kernel.context import Context

__all__ = ["app"]

app = typer.Typer(help=_("Chaves da API, com que outros programas entram."), no_args_is_help=True)


@app.command("criar", help=_("Cria uma chave e escreve o segredo dela, que não será mostrado de novo."))
def criar(
    integracao: Annotated[str, typer.Option("--integracao", help=_("E-mail da integração."))],
    nome: Annotated[str, typer.Option("--nome", help=_("Onde a chave vai ficar."))],
    dias: Annotated[int, typer.Option("--dias", help=_("Por quantos dias vale, de 1 a 365."))] = 365,
) -> None:
    """Create a key and write its secret, which will not be shown again."""
    from sispat.pessoas import accounts, keys
    from sispat.pessoas.fields import NovaChave

    new = NovaChave.parse({"nome": nome, "dias": dias})

    async def act(ctx: Context) -> None:
        made = await keys.criar(ctx, await accounts.por_email(ctx, integracao), new)
        until = f"{made.row['expira_em']:%Y-%m-%d %H:%M}"
        typer.echo(_("Criada: %(id)s, vale até %(until)s. Segredo:", id=made.row["id"], until=until), err=True)
        typer.echo(made.secret)

    as_operator(act)


@app.command(
    "listar",
    help=_("Mostra as chaves, uma por linha: id, integração, nome, início, estado, até quando vale, último uso."),
)
def listar(
    integracao: Annotated[str | None, typer.Option("--integracao", help=_("E-mail de uma integração."))] = None,
) -> None:
    """Show the keys, one per line: id, integration, name, beginning, state, valid until, last used."""
    from sispat.pessoas import accounts, keys
    from sispat.pessoas.fields import ListaDeChaves

    async def read(ctx: Context) -> None:
        of = None if integracao is None else await accounts.por_email(ctx, integracao)
        asked: ListaDeChaves | None = ListaDeChaves(integracao_id=of, limit=200)
        while asked is not None:
            found = await keys.listar(ctx, asked)
            for row in found.rows:
                until, used = (f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (row["expira_em"], row["usada_em"]))
                values = (row["id"], row["integracao"], row["nome"], row["inicio"], row["estado"], until, used)
                typer.echo("\t".join(map(str, values)))
            more = {"integracao_id": of, "limit": 200, "cursor": found.following}
            asked = ListaDeChaves.parse(more) if found.following else None

    as_operator(read)


@app.command("revogar", help=_("Revoga uma chave, na hora e para sempre."))
def revogar(id_: Annotated[str, typer.Argument(metavar="ID", help=_("O id que `listar` mostra."))]) -> None:
    """Revoke a key, at once and for ever."""
    from uuid import UUID

    from sispat.pessoas import keys

    try:
        key_id = UUID(id_)
    except ValueError:
        raise typer.BadParameter(
            _("não é um id de chave; use o que `sispat chave listar` mostra"), param_hint="ID"
        ) from None

    async def act(ctx: Context) -> None:
        row = await keys.revogar(ctx, key_id)
        typer.echo(_("Revogada: %(name)s, de %(integration)s.", name=row["nome"], integration=row["integracao"]))

    as_operator(act)
