"""`sispat settings`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from sispat.kernel.i18n import _
from sispat.settings import SettingInForce, in_force, load_settings

__all__ = ["settings"]


def settings(
    as_json: Annotated[bool, typer.Option("--json", help=_("Para programas."))] = False,
) -> None:
    """Show the settings in force and where each value came from; secrets stay hidden."""
    loaded = load_settings()
    for warning in loaded.warnings:
        typer.echo(_("Aviso: %(warning)s", warning=warning), err=True)
    rows = in_force(loaded)
    if as_json:
        fields = [{"nome": x.name, "valor": x.value, "origem": x.origin.value, "reservada": x.reserved} for x in rows]
        typer.echo(json.dumps(fields, ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _table(rows)
    else:
        for row in rows:
            typer.echo(f"{row.name}={row.value}\t({_origin(row)})")


def _origin(row: SettingInForce) -> str:
    return _("%(origin)s; reservada", origin=row.origin.label) if row.reserved else row.origin.label


def _table(rows: list[SettingInForce]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(_("Nome"), _("Valor"), _("Origem"), title=_("Configuração em vigor"))
    for row in rows:
        table.add_row(row.name, escape(row.value), escape(_origin(row)), style="dim" if row.reserved else "")
    Console().print(table)
