"""Reports: their list, and of each a page, files and the API, made from its declaration (`table`).

Promises: what the page shows is what the files and the API have, by the same filters; a filter that cannot be read is said
beside it, and the filters stay as they were. A PDF of more lines than one part of it is made by a job.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sispat.cadastros import pickers
from sispat.http.csv_export import CsvExport
from sispat.http.responses import PDF, json_response, pdf_headers, pdf_response
from sispat.http.route import Reply, Routes
from sispat.http.service import Service, service_of
from sispat.http.session import RequestContext, open_context
from sispat.http.submission import Submission
from sispat.http.xlsx_export import XlsxExport
from sispat.kernel import formats
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Cell, labels_of
from sispat.kernel.i18n import _, gettext_noop, source_of
from sispat.kernel.pdf import PdfRenderer
from sispat.relatorios import actions, files, paper
from sispat.relatorios.actions import Prepared
from sispat.relatorios.documents import Disponivel, PedidoDeArquivo, page_of
from sispat.relatorios.fields import Pedido
from sispat.relatorios.report import Report, as_read
from sispat.relatorios.rules import Formato
from sispat.relatorios.table import RELATORIOS
from sispat.termos.screens import city_of
from sispat.ui.fields import FormField, typed
from sispat.ui.pages import page, redirect
from sispat.ui.records import address

__all__ = ["route"]

route = Routes()
_API, _TAG = "/api/relatorios", "relatorios"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}


@route("GET", _API, tag=_TAG, response=list[Disponivel], summary="Listar")
async def listar(ctx: RequestContext) -> Response:
    """Os relatórios que esta pessoa pode pedir, com as suas colunas e filtros."""
    return json_response(
        [
            {
                "nome": each.name, "titulo": str(each.title), "pergunta": str(each.question),
                "colunas": list(each.columns), "filtros": list(each.filters),
            }
            for each in RELATORIOS if ctx.access.may(each.action)
        ],
        **_NO_STORE,
    )  # fmt: skip


@route("GET", "/relatorios")
async def index(ctx: RequestContext) -> Reply:
    """What each report answers."""
    return page("relatorios/lista.html", reports=[each for each in RELATORIOS if ctx.access.may(each.action)])


class _Pages:
    """The routes of one report."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def add(self) -> None:
        """Add them."""
        report, name = self.report, self.report.name.replace("-", "_")

        async def ler(ctx: RequestContext, pedido: Pedido) -> Response:
            """Páginas por chave (`next` vai em `cursor`); as somas são de todas as linhas."""
            return await self._read(ctx, pedido)

        async def exportar(ctx: RequestContext, pedido: Pedido) -> Reply:
            """Todas as linhas e todas as colunas, em CSV (UTF-8, ponto e vírgula)."""
            return await self._csv(ctx, pedido)

        async def exportar_xlsx(ctx: RequestContext, pedido: Pedido) -> Reply:
            """O mesmo em XLSX, com valores e datas como tais; até 100.000 linhas."""
            return XlsxExport(await self._csv(ctx, pedido))

        async def desenhar(request: Request, pedido: Pedido) -> Response:
            """Até 500 linhas; o que é maior se pede em `tarefas`, e é feito em segundo plano."""
            return await self._pdf(request, pedido)

        async def pedir(ctx: RequestContext, pedido: Pedido) -> Response:
            """Pede o PDF de um relatório longo: `/api/tarefas/{tarefa_id}` diz em que pé está."""
            job, file = await self._ask_for(ctx, pedido)
            return json_response({"tarefa_id": job, "arquivo_id": file}, 202, **_NO_STORE)

        for each in (ler, exportar, exportar_xlsx, desenhar, pedir):
            each.__annotations__["pedido"] = report.asked
        add = partial(route, tag=_TAG)
        add(
            "GET",
            f"{report.api}.json",
            response=page_of(report),
            summary=source_of(report.title),
            name=f"relatorio_{name}",
        )(ler)
        made: list[tuple[str, str, Any]] = [
            ("csv", gettext_noop("Em CSV"), exportar),
            ("xlsx", gettext_noop("Em XLSX"), exportar_xlsx),
            ("pdf", gettext_noop("Em PDF"), desenhar),
        ]
        for end, summary, handler in made:
            named = f"relatorio_{name}_{end}"
            add("GET", f"{report.api}.{end}", response_class=Response, summary=summary, name=named)(handler)
        by_job = gettext_noop("Em PDF, por uma tarefa")
        named = f"pedir_relatorio_{name}"
        add(
            "POST", f"{report.api}/tarefas", summary=by_job, response=PedidoDeArquivo, status=202, once=True, name=named
        )(pedir)
        self._add_pages()

    def _add_pages(self) -> None:
        report = self.report

        async def show(ctx: RequestContext) -> Reply:
            return await self._page(ctx)

        async def csv_page(ctx: RequestContext) -> Reply:
            return await self._csv(ctx, self._parsed(ctx.request))

        async def xlsx_page(ctx: RequestContext) -> Reply:
            return XlsxExport(await self._csv(ctx, self._parsed(ctx.request)))

        async def pdf_page(request: Request) -> Response:
            return await self._pdf(request, self._parsed(request))

        async def receive(ctx: RequestContext, submission: Submission) -> Response:
            asked = {name: value for name in report.filters if (value := submission.values.get(name, "").strip())}
            job, _file = await self._ask_for(ctx, report.asked.parse(typed(self._fields(), asked)))
            return redirect(f"/tarefas/{job}")

        route("GET", report.path)(show)
        route("GET", f"{report.path}.csv")(csv_page)
        route("GET", f"{report.path}.xlsx")(xlsx_page)
        route("GET", f"{report.path}.pdf")(pdf_page)
        route("POST", report.path)(receive)

    def _fields(self) -> list[FormField]:
        return [FormField.of(spec) for spec in self.report.filters.values()]

    def _given(self, request: Request) -> dict[str, str]:
        names = ("cursor", *self.report.filters)
        return {name: text for name in names if (text := request.query_params.get(name, "").strip())}

    def _parsed(self, request: Request) -> Pedido:
        given = {name: text for name, text in self._given(request).items() if name != "cursor"}
        return self.report.asked.parse(typed(self._fields(), given))

    async def _read(self, ctx: RequestContext, asked: Pedido) -> Response:
        what = await actions.preparar(ctx, self.report, asked, ctx.today)
        found, following = await actions.pagina(ctx, what)
        sums = None if asked.cursor else await actions.somas(ctx, what)
        return json_response({"items": found, "somas": sums, "next": following, "previous": None}, **_NO_STORE)

    async def _csv(self, ctx: RequestContext, asked: Pedido) -> CsvExport:
        what = await actions.preparar(ctx, self.report, asked, ctx.today)
        await actions.exportar(ctx, what, Formato.CSV)  # refused before the first byte

        async def lot(ctx: RequestContext, after: Any) -> tuple[list[Sequence[Cell]], Any]:
            return await actions.lote_exportado(ctx, what, after)

        return CsvExport(self.report.name, list(self.report.columns), lot)

    async def _pdf(self, request: Request, asked: Pedido) -> Response:
        city = await city_of(request)
        async with open_context(request) as ctx:
            what = await actions.preparar(ctx, self.report, asked, ctx.today)
            number = (await actions.somas(ctx, what))["linhas"]
            if number > paper.PART:
                text = _(
                    "São %(number)s linhas; um PDF feito na hora leva até %(most)s. Peça-o como tarefa, ou filtre.",
                    number=formats.decimal(number), most=formats.decimal(paper.PART),
                )  # fmt: skip
                raise InvalidData({"formato": text})
            await actions.exportar(ctx, what, Formato.PDF)
            async with ctx.conn.transaction():
                lots = [rows async for rows in actions.todas(ctx, what)]
        # No connection is held while it is drawn.
        service = service_of(request)
        drawing = paper.Paper(
            [service.resource(PdfRenderer)], what, city.name, city.arms, dt.datetime.now(dt.UTC), service.settings.timezone
        )  # fmt: skip
        drawn = await drawing.draw(_each(lots))
        return pdf_response(await asyncio.to_thread(drawn.whole), f"{self.report.name}.pdf")

    async def _ask_for(self, ctx: RequestContext, asked: Pedido) -> tuple[UUID, UUID]:
        what = await actions.preparar(ctx, self.report, asked, ctx.today)
        return await files.pedir(ctx, what, _city(ctx.service), ctx.today)

    async def _page(self, ctx: RequestContext) -> Reply:
        report, given = self.report, self._given(ctx.request)
        ctx.access.require(report.action)
        errors, found, sums, following = dict[str, str](), list[dict[str, Any]](), None, None
        what: Prepared | None = None
        fields = {field.name: field for field in self._fields()}
        lacks = [name for name, spec in report.filters.items() if spec.required and name not in given]
        if not (lacks and not given):  # who has chosen nothing yet has done nothing wrong
            try:
                what = await actions.preparar(ctx, report, report.asked.parse(typed(self._fields(), given)), ctx.today)
                found, following = await actions.pagina(ctx, what)
                sums = await actions.somas(ctx, what)
            except InvalidData as error:
                errors = {name: _said(fields, name, message) for name, message in error.fields.items()}
        kept = {name: value for name, value in given.items() if name != "cursor"}
        return page(
            "relatorios/relatorio.html", 422 if errors else 200, report=report, errors=errors, given=given, kept=kept,
            filters=await self._filters(ctx), field_labels=labels_of(report.asked), rows=found, sums=sums,
            facts=what.facts if what and (report.facts or "competencia" in fields) else (), asked=what is not None,
            as_read=as_read, files={end: address(f"{report.path}.{end}", kept) for end in ("csv", "xlsx", "pdf")},
            by_job=sums is not None and sums["linhas"] > paper.PART,
            grouped="grupo" in report.columns and any(row["grupo"] for row in found),
            first=address(report.path, kept) if "cursor" in given else "",
            following=address(report.path, {**kept, "cursor": following}) if following else "",
        )  # fmt: skip

    async def _filters(self, ctx: RequestContext) -> list[FormField]:
        ready = []
        for field in self._fields():
            entity = self.report.filters[field.name].ui.refers_to
            ready.append(await pickers.with_choices(ctx, field, entity, ctx.request.query_params) if entity else field)
        return ready


def _said(fields: Mapping[str, FormField], name: str, message: str) -> str:
    return fields[name].error(message) if name in fields else message


async def _each(lots: Sequence[list[dict[str, Any]]]) -> AsyncIterator[list[dict[str, Any]]]:
    for rows in lots:
        yield rows


def _city(service: Service) -> files.CityPaper:
    settings = service.settings
    return files.CityPaper(settings.city_name, settings.city_arms, settings.timezone)


for _report in RELATORIOS:
    _Pages(_report).add()


@route("GET", _API + "/arquivos/{id_}", tag=_TAG, summary="Arquivo", response_class=Response)
async def obter_arquivo(ctx: RequestContext, id_: UUID) -> Response:
    """O que uma tarefa fez, por uma semana, para quem a pediu; antes de pronto, 404."""
    file = await files.obter(ctx, id_, ready=True)
    return _download(ctx.request, file)


@route("GET", "/relatorios/arquivos/{id_:uuid}")
async def file_page(ctx: RequestContext, id_: UUID) -> Response:
    """The file; before it is made, how far its job is."""
    file = await files.obter(ctx, id_)
    return _download(ctx.request, file) if file.pronto_em else redirect(f"/tarefas/{file.tarefa_id}")


def _download(request: Request, file: files.File) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        number = 0
        while True:
            async with open_context(request) as ctx:  # one for each piece: who reads slowly keeps no connection
                piece = await files.parte(ctx, file.id, number)
            if piece is None:
                return
            yield piece
            number += 1

    return StreamingResponse(pieces(), 200, {**pdf_headers(file.nome), "Content-Length": str(file.tamanho)}, PDF)
