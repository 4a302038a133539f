"""Assets as CSV, streamed lot by lot (http.csv_export)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sispat.http.csv_export import CsvExport
from sispat.http.session import RequestContext
from sispat.kernel.fields import Cell
from sispat.patrimonios import actions
from sispat.patrimonios.actions import Key
from sispat.patrimonios.fields import PATRIMONIO
from sispat.patrimonios.listing import ListaDePatrimonios

__all__ = ["export"]

# Every field of the table, by its name in documents; a person's registration beside the name.
_COLUMNS = [spec for spec in PATRIMONIO.fields.values() if spec.ui.in_csv]
_HEADINGS = (*(spec.member for spec in _COLUMNS), "matricula")


def export(asked: ListaDePatrimonios) -> CsvExport:
    """All assets that `asked` matches."""

    async def lot(ctx: RequestContext, after: Key | None) -> tuple[list[Sequence[Cell]], Key | None]:
        found, following = await actions.lote_exportado(ctx, asked, after)
        return [_line(bem) for bem in found], following

    return CsvExport("patrimonios", _HEADINGS, lot)


def _line(bem: dict[str, Any]) -> Sequence[Cell]:
    return (*(spec.cell(bem[spec.member]) for spec in _COLUMNS), bem["agente"]["matricula"])
