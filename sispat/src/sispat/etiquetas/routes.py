"""Labels: the page that asks on what they are printed, the preview, the PDF; and the same for programs."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from sispat.etiquetas import actions
from sispat.etiquetas.fields import PedidoDeEtiquetas
from sispat.etiquetas.formats import FORMATS
from sispat.etiquetas.rules import IMPRIMIR
from sispat.http.responses import pdf_response
from sispat.http.route import Reply, Routes
from sispat.http.service import service_of
from sispat.http.session import RequestContext, open_context
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import labels_of, specs
from sispat.kernel.pdf import PdfRenderer
from sispat.patrimonios.search import Search
from sispat.ui.fields import FormField, typed
from sispat.ui.pages import base_of, page

__all__ = ["route"]

route = Routes()

_ASKED = ("formato", "inicio", "ajuste_x", "ajuste_y")
_PRIVATE = {"Cache-Control": "private, no-cache"}


@route(
    "GET", "/api/etiquetas", tag="patrimonios", summary="Etiquetas em PDF", response_class=Response, name="imprimir_etiquetas"
)  # fmt: skip
async def imprimir(request: Request, pedido: PedidoDeEtiquetas) -> Response:
    """Dos bens de `numeros`, ou de todos os que os filtros da lista acham (até 5.000): QR e plaqueta, em folhas ou em rolo."""
    return await _pdf(request, pedido)


@route("GET", "/etiquetas/pdf")
async def pdf_page(request: Request) -> Response:
    """The labels."""
    return await _pdf(request, _parsed(request.query_params))


async def _pdf(request: Request, asked: PedidoDeEtiquetas) -> Response:
    async with open_context(request) as ctx:
        found = await actions.imprimir(ctx, asked)
    settings = service_of(request).settings
    renderer = service_of(request).resource(PdfRenderer)
    pdf = await actions.desenhar(renderer, found, asked, city=settings.city_name, base=base_of(request))
    return pdf_response(pdf, "etiquetas.pdf")


@route("GET", "/etiquetas/previa.png")
async def preview(request: Request) -> Response:
    """The first sheet, as a picture."""
    asked = _parsed(request.query_params)
    async with open_context(request) as ctx:
        found = await actions.escolher(ctx, asked)
    settings = service_of(request).settings
    renderer = service_of(request).resource(PdfRenderer)
    png = await actions.desenhar(renderer, found, asked, city=settings.city_name, base=base_of(request), preview=True)
    return Response(png, 200, _PRIVATE, "image/png")


@route("GET", "/etiquetas")
async def ask_page(ctx: RequestContext) -> Reply:
    """On what the labels of the chosen assets are printed; with the first sheet as it will be."""
    ctx.access.require(IMPRIMIR)
    given = ctx.request.query_params
    errors, number = dict[str, str](), 0
    try:
        number = len(await actions.escolher(ctx, _parsed(given)))
    except InvalidData as error:
        errors = error.fields
    fields = {name: FormField.of(spec) for name, spec in specs(PedidoDeEtiquetas).items()}
    chosen = _chosen(given)
    values = {name: given.get(name) or fields[name].default for name in _ASKED}
    return page(
        "etiquetas/imprimir.html", 422 if errors else 200,
        fields=[fields[name] for name in _ASKED], values=values, chosen=chosen, number=number, errors=errors,
        labels=labels_of(PedidoDeEtiquetas), query=urlencode({**chosen, **values}),
        sheets=_sheets(number, values), path_back="/patrimonios",
    )  # fmt: skip


def _sheets(number: int, values: Mapping[str, str]) -> int:
    """How many sheets that takes."""
    per_sheet = next((each.per_sheet for name, each in FORMATS.items() if name == values["formato"]), 1)
    start = int(values["inicio"]) if values["inicio"].isdigit() else 1
    return -(-(number + start - 1) // per_sheet)


def _chosen(given: QueryParams) -> dict[str, str]:
    """Which assets: the numbers that were ticked or typed, else the filters of the list."""
    text = ",".join(filter(None, [*given.getlist("bem"), given.get("numeros", "")]))
    if text and "todos_da_busca" not in given:
        return {"numeros": text}
    return {name: value for name, value in Search(given).asked.items() if name != "pagina"}


def _parsed(given: QueryParams) -> PedidoDeEtiquetas:
    """The request of a page."""
    fields = [FormField.of(spec) for name, spec in specs(PedidoDeEtiquetas).items() if name in _ASKED]
    asked = {name: given[name] for name in _ASKED if given.get(name, "").strip()}
    return PedidoDeEtiquetas.parse(
        _chosen(given) | {name: value for name, value in typed(fields, asked).items() if name in asked}
    )
