"""`sispat settings`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from sispat.kernel.i18n import _
from sispat.settings import Linha, carregar, em_vigor

__all__ = ["settings"]


def settings(
    como_json: Annotated[bool, typer.Option("--json", help=_("Para programas."))] = False,
) -> None:
    """Show the settings in force and where each value came from; secrets stay hidden."""
    carregadas = carregar()
    for aviso in carregadas.avisos:
        typer.echo(_("Aviso: %(warning)s", warning=aviso), err=True)
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
    return _("%(origin)s; reservada", origin=linha.origem.label) if linha.reservada else linha.origem.label


def _tabela(linhas: list[Linha]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    tabela = Table(_("Nome"), _("Valor"), _("Origem"), title=_("Configuração em vigor"))
    for linha in linhas:
        tabela.add_row(linha.nome, escape(linha.valor), escape(_origem(linha)), style="dim" if linha.reservada else "")
    Console().print(tabela)
