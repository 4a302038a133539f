"""`sispat settings`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from sispat.settings import Linha, carregar, em_vigor

__all__ = ["settings"]


def settings(
    como_json: Annotated[bool, typer.Option("--json", help="Para programas.")] = False,
) -> None:
    """Mostra a configuração em vigor e de onde veio cada valor; segredos ficam ocultos."""
    carregadas = carregar()
    for aviso in carregadas.avisos:
        typer.echo(f"Aviso: {aviso}", err=True)
    linhas = em_vigor(carregadas)
    if como_json:
        campos = [
            {"nome": x.nome, "valor": x.valor, "origem": x.origem.value, "reservada": x.reservada} for x in linhas
        ]
        typer.echo(json.dumps(campos, ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _tabela(linhas)
    else:
        for linha in linhas:
            typer.echo(f"{linha.nome}={linha.valor}\t({_origem(linha)})")


def _origem(linha: Linha) -> str:
    return f"{linha.origem}; reservada" if linha.reservada else str(linha.origem)


def _tabela(linhas: list[Linha]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    tabela = Table("Nome", "Valor", "Origem", title="Configuração em vigor")
    for linha in linhas:
        tabela.add_row(linha.nome, escape(linha.valor), escape(_origem(linha)), style="dim" if linha.reservada else "")
    Console().print(tabela)
