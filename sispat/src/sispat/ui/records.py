"""Numbered records of a kind as pages, API and CSV: the list, the card, the export, the same for all kinds (kernel.records).

Promises: what the table of fields says is what is shown; a filter that cannot be read is said beside it, and the filters stay
as they were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.http.csv_export import CsvExport
from sispat.http.documents import pages_of
from sispat.http.responses import Document, json_response, page_of_documents
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.xlsx_export import XlsxExport
from sispat.kernel import records
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Cell, FieldSpec, labels_of, specs
from sispat.kernel.paging import ListPage, Paged
from sispat.kernel.records import Kind, ListaDeRegistros
from sispat.ui.fields import FormField
from sispat.ui.history import readable
from sispat.ui.pages import Page, page

__all__ = ["Reading", "address", "changed", "exports_of", "made"]

Choose = Callable[[RequestContext, FormField, str, Mapping[str, str]], Awaitable[FormField]]
"""Loads the choices of a field that refers to an entity: field, entity, the values of the form."""

Papers = Callable[[RequestContext, str, UUID], Awaitable[Any]]
"""What is attached to a record: the entity's name, the id."""

Summaries = Callable[[RequestContext, str, Sequence[Mapping[str, Any]]], Awaitable[Mapping[str, Any]]]
"""The same of the records of a list, in short: the entity's name, the records; by id."""

_CEILING = 5000  # records that a list counts and adds up: some milliseconds
_LIST = "ui/record_list.html"


def address(path: str, values: Mapping[str, str]) -> str:
    """`path` with these parameters."""
    return f"{path}?{urlencode(values)}" if values else path


def exports_of(*kinds: Kind) -> list[str]:
    """Where records of these kinds are exported: what counts as a report for the limits."""
    return [f"{api}{kind.path}.{form}" for api in ("", "/api") for kind in kinds for form in ("csv", "xlsx")]


def made(documents: Sequence[str]) -> Response:
    """What was made at once, as the API answers it."""
    return Response(f'{{"items":[{",".join(documents)}]}}', 201, {"Cache-Control": "no-store"}, "application/json")


def changed(document: str) -> Response:
    """What was changed, as the API answers it where there is no version to send back."""
    return json_response(orjson.loads(document), 200, **{"Cache-Control": "no-store"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a kind: `document` is the shape of one, `tabs` the kinds that its list leads to.

    `papers` loads the documents that are attached to one, for cards that show them; `summaries`, for lists that do.
    """

    kind: Kind
    document: Any
    choose: Choose
    tabs: Sequence[Kind] = ()
    papers: Papers | None = None
    summaries: Summaries | None = None

    def add(self, route: Routes) -> None:
        """Add list, export and record to the API, and the pages of list and export."""
        kind, api, tag = self.kind, f"/api{self.kind.path}", self.kind.plural

        async def listar(ctx: RequestContext, pedido: ListaDeRegistros) -> Reply:
            """Da mais nova à mais antiga, filtradas; páginas por chave (`next` vai em `cursor`)."""
            found = await records.listar(ctx, kind, pedido, ctx.today)
            return Document(page_of_documents(found.documents, found.following, None))

        async def exportar(ctx: RequestContext, pedido: ListaDeRegistros) -> Reply:
            """Tudo o que a lista mostra, com os mesmos filtros, em CSV (UTF-8, ponto e vírgula)."""
            await records.exportar(ctx, kind, pedido)  # refused before the first byte
            return self.export(pedido)

        async def exportar_xlsx(ctx: RequestContext, pedido: ListaDeRegistros) -> Reply:
            """O mesmo em XLSX, com valores e datas como tais; até 100.000 linhas."""
            await records.exportar(ctx, kind, pedido)
            return XlsxExport(self.export(pedido))

        async def obter(ctx: RequestContext, id_: UUID) -> Reply:
            return Document.built(await records.obter(ctx, kind, id_))

        async def list_page(ctx: RequestContext) -> Reply:
            return await self._list_page(ctx)

        async def exported(ctx: RequestContext) -> CsvExport:
            asked = kind.asked.parse({name: value for name, value in self._given(ctx).items() if name != "cursor"})
            await records.exportar(ctx, kind, asked)
            return self.export(asked)

        async def export_page(ctx: RequestContext) -> Reply:
            return await exported(ctx)

        async def export_xlsx_page(ctx: RequestContext) -> Reply:
            return XlsxExport(await exported(ctx))

        for reads in (listar, exportar, exportar_xlsx):
            reads.__annotations__["pedido"] = kind.asked
        listed = pages_of(f"Lista_{tag.replace('-', '_')}", self.document)
        name = tag.replace("-", "_")
        route("GET", api, tag=tag, response=listed, summary="Listar", name=f"listar_{name}")(listar)
        route(
            "GET", f"{api}.csv", tag=tag, summary="Exportar em CSV", response_class=Response, name=f"exportar_{name}"
        )(exportar)
        xlsx = f"exportar_{name}_xlsx"
        route("GET", f"{api}.xlsx", tag=tag, summary="Exportar em XLSX", response_class=Response, name=xlsx)(
            exportar_xlsx
        )
        one = f"obter_{kind.entity.name}"
        route("GET", f"{api}/{{id_}}", tag=tag, response=self.document, summary="Obter", name=one)(obter)
        route("GET", kind.path)(list_page)
        route("GET", f"{kind.path}.csv")(export_page)
        route("GET", f"{kind.path}.xlsx")(export_xlsx_page)

    def add_card(self, route: Routes, template: str = "ui/record_card.html") -> None:
        """Add the page of one record; a `template` of the slice's own extends that one."""

        async def card_page(ctx: RequestContext, id_: UUID) -> Reply:
            return await self.card(ctx, id_, template)

        route("GET", f"{self.kind.path}/{{id_:uuid}}")(card_page)

    def export(self, asked: ListaDeRegistros) -> CsvExport:
        """All records that `asked` finds, streamed lot by lot."""
        columns = [spec for spec in self.kind.entity.fields.values() if spec.ui.in_csv]

        async def lot(ctx: RequestContext, after: str | None) -> tuple[list[Sequence[Cell]], str | None]:
            found, following = await records.lote_exportado(ctx, self.kind, asked, ctx.today, after)
            return [[spec.cell(each[spec.member]) for spec in columns] for each in found], following

        return CsvExport(self.kind.plural, [spec.member for spec in columns], lot)

    async def card(self, ctx: RequestContext, id_: UUID, template: str = "ui/record_card.html", **more: Any) -> Page:
        """The card of one record: its data, and what happened."""
        kind = self.kind
        stored: dict[str, Any] = orjson.loads(await records.obter(ctx, kind, id_))
        if self.papers is not None:
            more["documents"] = await self.papers(ctx, kind.entity.name, id_)
        return page(
            template,
            kind=kind,
            stored=stored,
            card=self.shown,
            today=ctx.today,
            acts=[act for act in kind.acts if act[0] == stored["estado"] and ctx.access.may(act[3])],
            entries=await readable(ctx, await records.historico(ctx, kind, id_)),
            **more,
        )

    @property
    def shown(self) -> list[FieldSpec]:
        """What a card shows of its fields; number and state have places of their own."""
        return [spec for name, spec in self.kind.entity.fields.items() if name not in _ELSEWHERE]

    def _given(self, ctx: RequestContext) -> dict[str, str]:
        parameters = ctx.request.query_params
        names = [name for name in self.kind.asked.model_fields if name != "limit"]
        return {name: parameters[name] for name in names if parameters.get(name, "").strip()}

    async def _list_page(self, ctx: RequestContext) -> Reply:
        """One page of the list; what cannot be searched for is said beside the filters, which stay as they were."""
        kind, given = self.kind, self._given(ctx)
        errors, found, sums = dict[str, str](), ListPage([]), None
        try:
            asked = kind.asked.parse(given)
            found = await records.listar(ctx, kind, asked, ctx.today)
            if kind.summed:
                all_of_it = asked.model_copy(update={"cursor": ""})
                sums = await records.totais(ctx, kind, all_of_it, ctx.today, kind.summed, _CEILING)
        except InvalidData as error:
            errors = error.fields
        kept = {name: value for name, value in given.items() if name != "cursor"}
        rows = [orjson.loads(document) for document in found.documents]
        return page(
            _LIST,
            422 if errors else 200,
            kind=kind,
            kinds=self.tabs,
            rows=rows,
            documents=await self.summaries(ctx, kind.entity.name, rows) if self.summaries else {},
            sums=sums,
            ceiling=_CEILING,
            today=ctx.today,
            errors=errors,
            given=given,
            narrowed=kept.keys() - {"sort"},
            filtered=bool(errors or kept.keys() - {"q"}),
            filters=await self._filters(ctx),
            field_labels=labels_of(kind.asked),
            export=address(f"{kind.path}.csv", kept),
            export_xlsx=address(f"{kind.path}.xlsx", kept),
            first=address(kind.path, kept) if "cursor" in given else "",
            following=address(kind.path, {**kept, "cursor": found.following}) if found.following else "",
        )

    async def _filters(self, ctx: RequestContext) -> list[FormField]:
        asked, ready = specs(self.kind.asked), []
        for name, spec in asked.items():
            if name in Paged.model_fields or name in ("q", "sort"):
                continue
            field = FormField.of(spec)
            if spec.ui.refers_to:
                field = await self.choose(ctx, field, spec.ui.refers_to, ctx.request.query_params)
            ready.append(field)
        return ready


_ELSEWHERE = ("id", "numero", "estado", "versao")
