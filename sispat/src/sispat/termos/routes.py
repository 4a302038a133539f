"""Termos: list, card, PDF, signature; pages and API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.documentos.card import documents_of
from sispat.http.csv_export import CsvExport
from sispat.http.responses import Document, json_response, page_of_documents, pdf_response
from sispat.http.route import Reply, Routes
from sispat.http.service import service_of
from sispat.http.session import RequestContext, client_address, open_context
from sispat.http.submission import Submission
from sispat.http.xlsx_export import XlsxExport
from sispat.kernel.audit import Author
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Cell, labels_of, specs
from sispat.kernel.pdf import PdfRenderer
from sispat.termos import actions
from sispat.termos.content import title_of
from sispat.termos.documents import ListaDosTermos, ParteDoTermo, Termo
from sispat.termos.fields import TERMO, AnulacaoDeTermo, AssinaturaDeTermo, ListaDeTermos, NovoTermo
from sispat.termos.listing import ListPage
from sispat.termos.rules import EstadoDoTermo
from sispat.termos.screens import Anulacao, Emissao, city_of
from sispat.ui.fields import FormField
from sispat.ui.forms import form
from sispat.ui.history import readable
from sispat.ui.pages import page, redirect
from sispat.ui.records import address

__all__ = ["route"]

route = Routes()

API, _TAG = "/api/termos", "termos"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
_FILTERS = ("tipo", "estado", "agente", "bem", "movimento")


@route("GET", API, tag=_TAG, response=ListaDosTermos, summary="Listar")
async def listar(ctx: RequestContext, pedido: ListaDeTermos) -> Reply:
    """Do mais novo ao mais antigo; de um bem, de um agente ou de uma movimentação pelos filtros."""
    found = await actions.listar(ctx, pedido)
    return Document(page_of_documents(found.documents, found.following, None))


@route("GET", f"{API}.csv", tag=_TAG, summary="Exportar em CSV", response_class=Response, name="exportar_termos")
async def exportar(ctx: RequestContext, pedido: ListaDeTermos) -> Reply:
    """Tudo o que a lista mostra, com os mesmos filtros, em CSV (UTF-8, ponto e vírgula)."""
    return await _exported(ctx, pedido)


@route("GET", f"{API}.xlsx", tag=_TAG, summary="Exportar em XLSX", response_class=Response, name="exportar_termos_xlsx")
async def exportar_xlsx(ctx: RequestContext, pedido: ListaDeTermos) -> Reply:
    """O mesmo em XLSX, com valores e datas como tais; até 100.000 linhas."""
    return XlsxExport(await _exported(ctx, pedido))


@route("GET", "/termos.csv")
async def export_page(ctx: RequestContext) -> Reply:
    """All that the list shows, with the same filters."""
    return await _exported(ctx, ListaDeTermos.parse(_given(ctx, *_FILTERS)))


@route("GET", "/termos.xlsx")
async def export_xlsx_page(ctx: RequestContext) -> Reply:
    """The same as a workbook."""
    return XlsxExport(await _exported(ctx, ListaDeTermos.parse(_given(ctx, *_FILTERS))))


_COLUMNS = [spec for spec in TERMO.fields.values() if spec.ui.in_csv]


async def _exported(ctx: RequestContext, asked: ListaDeTermos) -> CsvExport:
    await actions.exportar(ctx, asked)  # refused before the first byte

    async def lot(ctx: RequestContext, after: int | None) -> tuple[list[Sequence[Cell]], int | None]:
        found, following = await actions.lote_exportado(ctx, asked, after)
        return [[spec.cell(each[spec.member]) for spec in _COLUMNS] for each in found], following

    return CsvExport("termos", [spec.member for spec in _COLUMNS], lot)


def _given(ctx: RequestContext, *names: str) -> dict[str, str]:
    parameters = ctx.request.query_params
    return {name: parameters[name] for name in names if parameters.get(name, "").strip()}


@route("POST", API, tag=_TAG, response=Termo, status=201, summary="Emitir", once=True)
async def emitir(ctx: RequestContext, dados: NovoTermo) -> Response:
    """Da carga inteira de um agente, ou de uma transferência, um empréstimo ou uma baixa; guarda o que vale agora."""
    document = await actions.emitir(ctx, dados, await city_of(ctx.request), ctx.today)
    headers = {**_NO_STORE, "Location": f"{API}/{orjson.loads(document)['id']}"}
    return Response(document, 201, headers, "application/json")


@route("GET", API + "/{id_}", tag=_TAG, response=Termo, summary="Obter")
async def obter(ctx: RequestContext, id_: UUID) -> Reply:
    """`sha256` é o do PDF feito por último; nulo enquanto nenhum foi feito."""
    return Document.built(await actions.obter(ctx, id_))


@route("GET", API + "/{id_}/partes", tag=_TAG, response=list[ParteDoTermo], summary="Quem assina")
async def listar_partes(ctx: RequestContext, id_: UUID) -> Response:
    """Quem o termo nomeia, e quem já assinou na tela: quando, de que endereço, e o SHA-256 do que assinou."""
    shown = ParteDoTermo.model_fields
    return json_response(
        [{name: getattr(parte, name) for name in shown} for parte in await actions.partes(ctx, id_)], 200, **_NO_STORE
    )


@route("GET", API + "/{id_}/pdf", tag=_TAG, summary="PDF", response_class=Response)
async def obter_pdf(request: Request, id_: UUID) -> Response:
    """PDF/A; o mesmo, byte a byte, cada vez que é pedido. O SHA-256 fica gravado antes de o PDF sair."""
    return await _pdf(request, id_)


@route("GET", "/termos/{id_:uuid}/pdf")
async def pdf_page(request: Request, id_: UUID) -> Response:
    """The same for a browser."""
    return await _pdf(request, id_)


async def _pdf(request: Request, id_: UUID) -> Response:
    async with open_context(request) as ctx:
        paper = await actions.para_imprimir(ctx, id_)
        author = Author(ctx.actor, ctx.key_id, ctx.request_id)
    service = service_of(request)
    drawn = await actions.desenhar(service.resource(PdfRenderer), paper)  # no connection is held meanwhile
    if not drawn.known:
        async with service.db.transaction() as conn:
            await actions.gravar_via(conn, author, id_, drawn)
    name = f"termo-{paper.tipo}-{paper.numero}-{paper.exercicio}.pdf"
    return pdf_response(drawn.pdf, name, ETag=f'"{drawn.sha256.hex()}"')


@route("POST", API + "/{id_}/assinatura", tag=_TAG, response=Termo, summary="Assinar", once=True)
async def assinar(ctx: RequestContext, id_: UUID, dados: AssinaturaDeTermo) -> Response:
    """Quem o termo nomeia assina o PDF que leu, pelo SHA-256 dele; só pessoas, e só onde a cidade o permite."""
    return json_response(orjson.loads(await _sign(ctx, id_, dados)), 200, **_NO_STORE)


async def _sign(ctx: RequestContext, id_: UUID, signed: AssinaturaDeTermo) -> str:
    address, on = client_address(ctx.request), ctx.service.settings.click_signing
    return await actions.assinar(ctx, id_, signed, address, switched_on=on)


@route("POST", API + "/{id_}/anulacao", tag=_TAG, response=Termo, summary="Anular", once=True)
async def anular(ctx: RequestContext, id_: UUID, dados: AnulacaoDeTermo) -> Response:
    """O termo não vale mais; o papel impresso continua conferível, e diz que foi anulado."""
    return json_response(orjson.loads(await actions.anular(ctx, id_, dados)), 200, **_NO_STORE)


@route("GET", "/termos")
async def list_page(ctx: RequestContext) -> Reply:
    """One page of the list; what cannot be searched for is said beside the filters, which stay as they were."""
    given = _given(ctx, *_FILTERS, "cursor")
    errors, found = dict[str, str](), ListPage([], None)
    try:
        found = await actions.listar(ctx, ListaDeTermos.parse(given))
    except InvalidData as error:
        errors = error.fields
    fields = {name: FormField.of(spec) for name, spec in specs(ListaDeTermos).items()}
    agente = await pickers.with_choices(ctx, fields["agente"], "agente", ctx.request.query_params)
    kept = {name: value for name, value in given.items() if name != "cursor"}
    return page(
        "termos/lista.html", 422 if errors else 200,
        rows=[_named(document) for document in found.documents], errors=errors, given=given, kept=kept,
        filters=[fields["tipo"], fields["estado"], agente, fields["bem"]], field_labels=labels_of(ListaDeTermos),
        following=address("/termos", {**kept, "cursor": found.following}) if found.following else "",
        export=address("/termos.csv", kept), export_xlsx=address("/termos.xlsx", kept),
        states=EstadoDoTermo.labels(),
    )  # fmt: skip


def _named(document: str) -> dict[str, Any]:
    stored: dict[str, Any] = orjson.loads(document)
    return {**stored, "title": title_of(stored["tipo"], stored["numero"], stored["exercicio"])}


form(route, "/termos/novo", Emissao)
form(route, "/termos/{id_:uuid}/anular", Anulacao)


@route("GET", "/termos/{id_:uuid}")
async def card_page(ctx: RequestContext, id_: UUID) -> Reply:
    """The card: what it is, who signs, what happened."""
    return await _card(ctx, id_)


async def _card(ctx: RequestContext, id_: UUID, status: int = 200, error: str = "") -> Reply:
    stored = _named(await actions.obter(ctx, id_))
    parties = await actions.partes(ctx, id_)
    counts = stored["estado"] == EstadoDoTermo.VIGENTE
    waiting = counts and any(each.minha and each.assinada_em is None for each in parties)
    return page(
        "termos/ficha.html", status,
        stored=stored, parties=parties, error=error, states=EstadoDoTermo.labels(), counts=counts,
        subject=await actions.pagina_do_assunto(ctx, stored), fields=TERMO.fields,
        waiting=waiting and ctx.service.settings.click_signing,
        documents=await documents_of(ctx, "termo", id_),
        entries=await readable(ctx, await actions.historico(ctx, id_)),
    )  # fmt: skip


@route("POST", "/termos/{id_:uuid}/assinar")
async def receive_signature(ctx: RequestContext, id_: UUID, submission: Submission) -> Reply | Response:
    """Sign; then the card, which says what is wrong if it could not be."""
    try:
        await _sign(ctx, id_, AssinaturaDeTermo.parse({"sha256": submission.values.get("sha256", "")}))
    except InvalidData as error:
        return await _card(ctx, id_, 422, next(iter(error.fields.values())))
    return redirect(f"/termos/{id_}", feito="termo-assinado")
