"""Commissions: list, card, export, forms; pages and API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from pydantic import create_model
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.cadastros.documents import REFERENCES, ReferenciaAgente
from sispat.comissoes import actions
from sispat.comissoes.fields import COMISSAO, Comissao, EncerramentoDeComissao
from sispat.comissoes.kinds import COMISSOES
from sispat.comissoes.screens import Edicao, Encerramento, Nomeacao
from sispat.http.responses import Document, required_version
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.ui.forms import form
from sispat.ui.records import Reading, changed

__all__ = ["route"]

route = Routes()
_API = "/api/comissoes"
_ONE: Any = create_model(
    "ComissaoGravada",
    __base__=COMISSAO.document("ComissaoGravada", references=REFERENCES),
    membros=(list[ReferenciaAgente], ...),
)
_READING = Reading(COMISSOES, _ONE, pickers.with_choices)
_READING.add(route)


@route("POST", _API, tag="comissoes", response=_ONE, status=201, summary="Nomear", once=True)
async def nomear(ctx: RequestContext, dados: Comissao) -> Response:
    """A portaria, para que e até quando; os membros pelas matrículas, quem preside primeiro."""
    document = await actions.nomear(ctx, dados, ctx.service.settings.commission_members)
    headers = {"Location": f"{_API}/{orjson.loads(document)['id']}", "Cache-Control": "no-store"}
    return Response(document, 201, headers, "application/json")


@route("PUT", _API + "/{id_}", tag="comissoes", response=_ONE, summary="Editar", versioned=True)
async def editar(ctx: RequestContext, id_: UUID, dados: Comissao) -> Reply:
    """Corrige uma comissão vigente; exige If-Match com a versão lida."""
    fewest = ctx.service.settings.commission_members
    return Document.built(await actions.editar(ctx, id_, dados, required_version(ctx.request), fewest))


@route("POST", _API + "/{id_}/encerramento", tag="comissoes", response=_ONE, summary="Encerrar", once=True)
async def encerrar(ctx: RequestContext, id_: UUID, dados: EncerramentoDeComissao) -> Response:
    """A comissão não atua depois deste dia; o que ela fez continua com a portaria e os membros de então."""
    return changed(await actions.encerrar(ctx, id_, dados, ctx.today))


form(route, "/comissoes/nova", Nomeacao)
form(route, "/comissoes/{id_:uuid}/editar", Edicao)
form(route, "/comissoes/{id_:uuid}/encerrar", Encerramento)
_READING.add_card(route)
