"""Reconciliations; pages and API."""

from __future__ import annotations

from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.conciliacao import actions
from sispat.conciliacao.documents import ConciliacaoGravada, ContaConciliada
from sispat.conciliacao.fields import CONTA, NovaConciliacao
from sispat.conciliacao.kinds import CONCILIACOES
from sispat.conciliacao.screens import Conciliacao
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.ui.forms import form
from sispat.ui.records import Reading

__all__ = ["route"]

route = Routes()
_API, _TAG = "/api/conciliacoes", "conciliacoes"
_READING = Reading(CONCILIACOES, ConciliacaoGravada, pickers.with_choices)
_READING.add(route)


@route("POST", _API, tag=_TAG, response=ConciliacaoGravada, status=201, summary="Conciliar", once=True)
async def conciliar(ctx: RequestContext, dados: NovaConciliacao) -> Response:
    """O saldo contábil de todas as contas de um mês fechado; refeita, vale a última."""
    document = orjson.loads(await actions.conciliar(ctx, dados))
    return json_response(document, 201, **{"Cache-Control": "no-store", "Location": f"{_API}/{document['id']}"})


@route("GET", _API + "/{id_}/contas", tag=_TAG, response=list[ContaConciliada], summary="Contas")
async def listar_contas(ctx: RequestContext, id_: UUID) -> Response:
    """Cada conta nos dois livros, e a diferença: o que a contabilidade tem a mais. As que diferem primeiro."""
    return json_response(await actions.contas(ctx, id_), 200, **{"Cache-Control": "no-store"})


form(route, "/conciliacoes/nova", Conciliacao)


@route("GET", "/conciliacoes/{id_:uuid}")
async def card(ctx: RequestContext, id_: UUID) -> Reply:
    """A reconciliation: each account in both books."""
    found = await actions.contas(ctx, id_)
    return await _READING.card(ctx, id_, "conciliacao/conciliacao.html", accounts=found, columns=CONTA.fields)
