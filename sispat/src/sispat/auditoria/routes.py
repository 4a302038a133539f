"""The newest records of all, walked by key; page and API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from sispat.auditoria import actions
from sispat.http.documents import Evento
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.kernel.fields import Ui
from sispat.kernel.inputs import BlankIsNone, Input
from sispat.ui.history import readable
from sispat.ui.pages import page

__all__ = ["route"]

route = Routes()


class ListaDeEventos(Input):
    """What the list may be asked for: it goes on below the record `antes_de`."""

    antes_de: Annotated[int | None, Field(ge=1, le=2**63 - 1), BlankIsNone, Ui("Antes do registro")] = None


@route("GET", "/api/auditoria", tag="auditoria", response=list[Evento], summary="Últimos registros")
async def ultimos(ctx: RequestContext, pedido: ListaDeEventos) -> Response:
    """Cem registros, do mais novo ao mais antigo; `antes_de` continua a partir de um id."""
    return json_response(await actions.ultimos(ctx, pedido.antes_de))


@route("GET", "/auditoria")
async def list_page(ctx: RequestContext) -> Reply:
    """A hundred records below `antes_de`."""
    asked = ListaDeEventos.parse({"antes_de": ctx.request.query_params.get("antes_de")})
    entries = await readable(ctx, await actions.ultimos(ctx, asked.antes_de))
    return page("auditoria/lista.html", entries=entries, continued=asked.antes_de is not None)
