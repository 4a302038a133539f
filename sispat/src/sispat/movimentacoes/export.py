"""Movements as CSV, streamed lot by lot (http.csv_export)."""

from __future__ import annotations

from collections.abc import Sequence

from sispat.http.csv_export import CsvExport
from sispat.http.session import RequestContext
from sispat.movimentacoes.actions import reading
from sispat.movimentacoes.kinds import Kind
from sispat.movimentacoes.listing import ListaDeMovimentacoes

__all__ = ["export"]


def export(kind: Kind, asked: ListaDeMovimentacoes) -> CsvExport:
    """All movements of a kind that `asked` finds."""
    columns = [spec for spec in kind.entity.fields.values() if spec.ui.in_csv]

    async def lot(ctx: RequestContext, below: int | None) -> tuple[list[Sequence[str]], int | None]:
        found, following = await reading.lote_exportado(ctx, kind, asked, ctx.today, below)
        return [[spec.plain(each[spec.member]) for spec in columns] for each in found], following

    return CsvExport(kind.plural, [spec.member for spec in columns], lot)
