"""`sispat usuario criar` and `sispat usuario senha`.

Promises: the password comes from a prompt, or from the first line of standard input when that is not a terminal.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from sispat.kernel.permissions import Papel

__all__ = ["app"]

app = typer.Typer(help="Pessoas que entram no sistema.", no_args_is_help=True)

Email = Annotated[str, typer.Option("--email", help="E-mail com que a pessoa entra.")]


@app.command("criar")
def criar(
    email: Email,
    nome: Annotated[str, typer.Option("--nome", help="Nome da pessoa.")],
    papel: Annotated[Papel, typer.Option("--papel", help="O que a pessoa é na prefeitura.")],
    setor: Annotated[
        list[str] | None, typer.Option("--setor", help="Código de um setor ao alcance; repetível.")
    ] = None,
) -> None:
    """Cria uma pessoa; a senha é pedida, ou lida da entrada padrão."""
    from sispat.pessoas import actions
    from sispat.pessoas.fields import NovoUsuario

    novo = NovoUsuario.parse({"email": email, "nome": nome, "papel": papel, "setores": setor or [], "senha": _senha()})
    _com_banco(lambda conn: actions.criar(conn, novo))
    typer.echo(f"Criado: {novo.nome} <{novo.email}>, {novo.papel}.")


@app.command("senha")
def senha(email: Email) -> None:
    """Troca a senha de uma pessoa e encerra as sessões abertas dela."""
    from sispat.pessoas import actions
    from sispat.pessoas.fields import TrocaDeSenha

    troca = TrocaDeSenha.parse({"email": email, "senha": _senha()})
    _com_banco(lambda conn: actions.trocar_senha(conn, troca))
    typer.echo(f"Senha de {troca.email} trocada; as sessões abertas foram encerradas.")


def _senha() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Senha", hide_input=True, confirmation_prompt="Repita a senha"))
    return sys.stdin.readline().rstrip("\r\n")


def _com_banco(fazer: Callable[[Any], Awaitable[Any]]) -> None:
    import psycopg

    from sispat.cli._preparo import atualizar, com_prazo
    from sispat.cli._servidor import banco_em_uso, encerravel
    from sispat.settings import carregar

    with encerravel(), banco_em_uso(carregar()) as dsn:
        atualizar(dsn)

        async def rodar() -> None:
            async with await psycopg.AsyncConnection.connect(com_prazo(dsn).conninfo) as conn:
                await fazer(conn)

        asyncio.run(rodar())
