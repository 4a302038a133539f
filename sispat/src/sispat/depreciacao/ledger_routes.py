"""The movements of a closed month; pages, API and exports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.depreciacao import ledger
from sispat.depreciacao.documents import Lancamentos, Soma
from sispat.depreciacao.fields import LANCAMENTO, SOMA, ListaDeLancamentos
from sispat.depreciacao.kinds import FECHAMENTOS
from sispat.depreciacao.rules import Component, EntryKind, Natureza
from sispat.http.csv_export import CsvExport
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.xlsx_export import XlsxExport
from sispat.kernel.fields import Cell
from sispat.kernel.records import obter
from sispat.ui.pages import page
from sispat.ui.records import address

__all__ = ["route"]

route = Routes()
_API, _PAGE = "/api/fechamentos/{id_}/lancamentos", "/fechamentos/{id_:uuid}/lancamentos"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
_SOMA = ("competencia", "conta", "nome", "setor", "especie", "componente", "natureza", "valor")
_LANCAMENTO = (
    "competencia", "tipo", "numero", "descricao", "setor", "conta", "especie", "componente", "natureza", "valor",
)  # fmt: skip
_WORDS: dict[str, Any] = {
    "especies": EntryKind.labels(),
    "componentes": Component.labels(),
    "naturezas": Natureza.labels(),
}


@route("GET", _API, tag="fechamentos", response=list[Soma], summary="Lançamentos por conta")
async def somas(ctx: RequestContext, id_: UUID) -> Response:
    """O que cada conta moveu no mês, por setor, espécie e componente: para o sistema contábil."""
    found = await ledger.somas(ctx, id_)
    return json_response([{name: row[name] for name in _SOMA} for row in found], **_NO_STORE)


@route("GET", _API + ".csv", tag="fechamentos", summary="Lançamentos por conta em CSV", response_class=Response)
async def exportar_somas(ctx: RequestContext, id_: UUID) -> Reply:
    """O mesmo em CSV (UTF-8, ponto e vírgula)."""
    return await _sums(ctx, id_)


@route("GET", _API + ".xlsx", tag="fechamentos", summary="Lançamentos por conta em XLSX", response_class=Response)
async def exportar_somas_xlsx(ctx: RequestContext, id_: UUID) -> Reply:
    """O mesmo em XLSX."""
    return XlsxExport(await _sums(ctx, id_))


@route("GET", _API + "/bens", tag="fechamentos", response=Lancamentos, summary="Lançamentos bem por bem")
async def listar_lancamentos(ctx: RequestContext, id_: UUID, pedido: ListaDeLancamentos) -> Response:
    """Os lançamentos do mês pelo número do bem, de uma conta, espécie e componente se pedidos; `next` vai em `cursor`."""
    found, following = await ledger.lancamentos(ctx, id_, pedido, lots=25)
    items = [{name: row[name] for name in _LANCAMENTO} for row in found]
    return json_response({"items": items, "next": following, "previous": None}, **_NO_STORE)


@route("GET", _API + "/bens.csv", tag="fechamentos", summary="Lançamentos bem por bem em CSV", response_class=Response)
async def exportar_lancamentos(ctx: RequestContext, id_: UUID, pedido: ListaDeLancamentos) -> Reply:
    """Todos eles, ou os de uma conta, espécie e componente, em CSV."""
    return await _entries(ctx, id_, pedido)


async def _sums(ctx: RequestContext, id_: UUID) -> CsvExport:
    month = await ledger.exportar(ctx, id_)

    async def lot(ctx: RequestContext, after: None) -> tuple[list[Sequence[Cell]], None]:
        del after
        return [_cells(SOMA, _SOMA, row) for row in await ledger.somas(ctx, id_)], None

    return CsvExport(f"lancamentos-{month:%Y-%m}", list(_SOMA), lot)


async def _entries(ctx: RequestContext, id_: UUID, asked: ListaDeLancamentos) -> CsvExport:
    month = await ledger.exportar(ctx, id_)

    async def lot(ctx: RequestContext, after: str | None) -> tuple[list[Sequence[Cell]], str | None]:
        part = asked.model_copy(update={"cursor": after or "", "limit": 100_000})  # all of one lot of assets
        found, following = await ledger.lancamentos(ctx, id_, part, lots=1)
        return [_cells(LANCAMENTO, _LANCAMENTO, row) for row in found], following

    return CsvExport(f"lancamentos-por-bem-{month:%Y-%m}", list(_LANCAMENTO), lot)


def _cells(entity: Any, names: Sequence[str], row: dict[str, Any]) -> list[Cell]:
    return [entity.fields[name].cell(row[name]) for name in names]


@route("GET", _PAGE)
async def sums_page(ctx: RequestContext, id_: UUID) -> Reply:
    """What each account moved, each line with the way to its assets."""
    stored: dict[str, Any] = orjson.loads(await obter(ctx, FECHAMENTOS, id_))
    found = await ledger.somas(ctx, id_, by_setor=False)
    return page("depreciacao/lancamentos.html", kind=FECHAMENTOS, stored=stored, somas=found, **_WORDS)


@route("GET", _PAGE + ".csv")
async def sums_csv(ctx: RequestContext, id_: UUID) -> Reply:
    """The sums by account and setor."""
    return await _sums(ctx, id_)


@route("GET", _PAGE + ".xlsx")
async def sums_xlsx(ctx: RequestContext, id_: UUID) -> Reply:
    """The same as a workbook."""
    return XlsxExport(await _sums(ctx, id_))


@route("GET", _PAGE + "/bens")
async def entries_page(ctx: RequestContext, id_: UUID, asked: ListaDeLancamentos) -> Reply:
    """The assets behind a sum, each with the way to its card."""
    stored: dict[str, Any] = orjson.loads(await obter(ctx, FECHAMENTOS, id_))
    found, following = await ledger.lancamentos(ctx, id_, asked, lots=25)
    query = {name: str(value) for name in ("conta", "especie", "componente") if (value := getattr(asked, name))}
    return page(
        "depreciacao/lancamentos_bens.html", kind=FECHAMENTOS, stored=stored, lancamentos=found, query=query,
        following=address(ctx.request.url.path, {**query, "cursor": following}) if following else "", **_WORDS,
    )  # fmt: skip


@route("GET", _PAGE + "/bens.csv")
async def entries_csv(ctx: RequestContext, id_: UUID, asked: ListaDeLancamentos) -> Reply:
    """All of them."""
    return await _entries(ctx, id_, asked)
