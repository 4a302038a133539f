"""Reports on values; pages and API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.cadastros.documents import REFERENCES
from sispat.documentos.card import documents_of
from sispat.http.documents import pages_of
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.reavaliacao import actions
from sispat.reavaliacao.fields import ITEM, REAVALIACAO, EstornoDeReavaliacao, ListaDeItens, NovaReavaliacao
from sispat.reavaliacao.kinds import REAVALIACOES
from sispat.reavaliacao.screens import Estorno, Laudo
from sispat.ui.forms import form
from sispat.ui.records import Reading, address, changed

__all__ = ["route"]

route = Routes()
_API = "/api/reavaliacoes"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
_ONE: Any = REAVALIACAO.document("ReavaliacaoGravada", references=REFERENCES)
_ITEMS: Any = pages_of("BensReavaliados", ITEM.document("BemDaReavaliacao"))
_READING = Reading(REAVALIACOES, _ONE, pickers.with_choices, papers=documents_of)
_READING.add(route)


@route("POST", _API, tag="reavaliacoes", response=_ONE, status=201, summary="Registrar laudo", once=True)
async def registrar(ctx: RequestContext, dados: NovaReavaliacao) -> Response:
    """Todos os bens do laudo ou nenhum; cada um deprecia de novo a partir daquele mês, que ainda não foi fechado."""
    document = await actions.reavaliar(ctx, dados, ctx.today)
    headers = {"Location": f"{_API}/{orjson.loads(document)['id']}", "Cache-Control": "no-store"}
    return Response(document, 201, headers, "application/json")


@route("POST", _API + "/{id_}/estorno", tag="reavaliacoes", response=_ONE, summary="Estornar", once=True)
async def estornar(ctx: RequestContext, id_: UUID, dados: EstornoDeReavaliacao) -> Response:
    """Um administrador desfaz o laudo enquanto o mês dele está aberto."""
    return changed(await actions.estornar(ctx, id_, dados))


@route("GET", _API + "/{id_}/bens", tag="reavaliacoes", response=_ITEMS, summary="Bens")
async def listar_bens_reavaliados(ctx: RequestContext, id_: UUID, pedido: ListaDeItens) -> Response:
    """O valor de cada bem antes e depois, pelo número; páginas por chave (`next` vai em `cursor`)."""
    found, following = await actions.itens(ctx, id_, pedido)
    return json_response({"items": found, "next": following, "previous": None}, **_NO_STORE)


form(route, "/reavaliacoes/nova", Laudo)
form(route, "/reavaliacoes/{id_:uuid}/estornar", Estorno)


@route("GET", "/reavaliacoes/{id_:uuid}")
async def card(ctx: RequestContext, id_: UUID) -> Reply:
    """A report: what it says, a page of its assets, its papers."""
    found, following = await actions.itens(ctx, id_, ListaDeItens(cursor=ctx.request.query_params.get("cursor", "")))
    return await _READING.card(
        ctx, id_, "reavaliacao/reavaliacao.html", items=found,
        following=address(ctx.request.url.path, {"cursor": following}) if following else "",
    )  # fmt: skip
