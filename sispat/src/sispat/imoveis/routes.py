"""Imóveis: list, card, export, forms; what happens to them by an act. Pages and API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.cadastros.documents import REFERENCES
from sispat.documentos.card import documents_of, summaries_of
from sispat.http.documents import Evento
from sispat.http.responses import Document, json_response, required_version
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.imoveis import actions, rules
from sispat.imoveis.fields import IMOVEL, CorrecaoDeImovel, EdicaoDeImovel, NovoImovel
from sispat.imoveis.kinds import BAIXAS, DESTINACOES, IMOVEIS, KINDS
from sispat.imoveis.movements import EstornoDeBaixaDeImovel, NovaBaixaDeImovel, NovaDestinacao
from sispat.imoveis.rules import REQUIRED, EstadoDoImovel, MotivoDaBaixaDeImovel
from sispat.imoveis.screens import Baixa, Edicao, Estorno, MudancaDeDestinacao, Novo
from sispat.kernel.fields import FieldSpec
from sispat.kernel.records import historico, obter
from sispat.ui.forms import form
from sispat.ui.pages import page
from sispat.ui.records import Reading, changed

__all__ = ["route"]

route = Routes()
_API = "/api/imoveis"
_NAMES = {"imovel": "ImovelGravado", "imovel_destinacao": "DestinacaoDeImovel", "imovel_baixa": "BaixaDeImovel"}
_DOCUMENTS: dict[str, Any] = {
    kind.entity.name: kind.entity.document(_NAMES[kind.entity.name], references=REFERENCES) for kind in KINDS
}
_READING = {
    kind: Reading(
        kind,
        _DOCUMENTS[kind.entity.name],
        pickers.with_choices,
        KINDS,
        summaries=summaries_of if kind is IMOVEIS else None,
    )
    for kind in KINDS
}
for _each in _READING.values():
    _each.add(route)
_IMOVEL, _DESTINACAO, _BAIXA = (_DOCUMENTS[kind.entity.name] for kind in KINDS)


@route("GET", _API + "/{id_}/historico", tag="imoveis", response=list[Evento], summary="Histórico")
async def historico_do_imovel(ctx: RequestContext, id_: UUID) -> Response:
    """O que aconteceu com o imóvel, do mais novo ao mais antigo."""
    return json_response(await historico(ctx, IMOVEIS, id_))


@route("POST", _API, tag="imoveis", response=_IMOVEL, status=201, summary="Cadastrar", once=True)
async def criar_imovel(ctx: RequestContext, dados: NovoImovel) -> Response:
    """Um imóvel, com o próximo número; terreno e edificação têm valores à parte."""
    return _created(await actions.criar(ctx, dados), _API)


def _created(document: str, path: str) -> Response:
    headers = {"Location": f"{path}/{orjson.loads(document)['id']}", "Cache-Control": "no-store"}
    return Response(document, 201, headers, "application/json")


@route("PUT", _API + "/{id_}", tag="imoveis", response=_IMOVEL, summary="Editar", versioned=True)
async def editar_imovel(ctx: RequestContext, id_: UUID, dados: EdicaoDeImovel) -> Reply:
    """Corrige o imóvel, menos a destinação; exige If-Match com a versão lida (412 mostra as duas versões)."""
    return Document.built(await actions.editar(ctx, id_, dados, required_version(ctx.request)))


@route("PATCH", _API + "/{id_}", tag="imoveis", response=_IMOVEL, summary="Corrigir", versioned=True)
async def corrigir_imovel(ctx: RequestContext, id_: UUID, dados: CorrecaoDeImovel) -> Reply:  # type: ignore[valid-type]
    """Só os campos enviados mudam (JSON Merge Patch, RFC 7396); exige If-Match com a versão lida."""
    return Document.built(await actions.corrigir(ctx, id_, dados, required_version(ctx.request)))


@route(
    "POST",
    _API + "/{id_}/destinacao",
    tag="imoveis",
    response=_DESTINACAO,
    status=201,
    summary="Mudar a destinação",
    once=True,
)
async def destinar(ctx: RequestContext, id_: UUID, dados: NovaDestinacao) -> Response:
    """Afetação ou desafetação pela lei ou decreto que a faz; a desafetação, só por lei."""
    return _created(await actions.destinar(ctx, id_, dados, ctx.today), f"/api{DESTINACOES.path}")


@route("POST", _API + "/{id_}/baixa", tag="imoveis", response=_BAIXA, status=201, summary="Dar baixa", once=True)
async def baixar_imovel(ctx: RequestContext, id_: UUID, dados: NovaBaixaDeImovel) -> Response:
    """Por um motivo, com o que ele exige; só um bem dominical da cidade é alienado, com lei e avaliação."""
    return _created(await actions.baixar(ctx, id_, dados, ctx.today), f"/api{BAIXAS.path}")


@route("POST", f"/api{BAIXAS.path}/{{id_}}/estorno", tag=BAIXAS.plural, response=_BAIXA, summary="Desfazer", once=True)
async def estornar_imovel(ctx: RequestContext, id_: UUID, dados: EstornoDeBaixaDeImovel) -> Response:
    """Um administrador desfaz a baixa: o imóvel volta ao patrimônio. As duas coisas ficam na auditoria."""
    return changed(await actions.estornar(ctx, id_, dados))


form(route, "/imoveis/novo", Novo)
form(route, "/imoveis/{id_:uuid}/editar", Edicao)
form(route, "/imoveis/{id_:uuid}/destinar", MudancaDeDestinacao)
form(route, "/imoveis/{id_:uuid}/baixar/{motivo}", Baixa)
form(route, "/baixas-de-imoveis/{id_:uuid}/estornar", Estorno)
for _kind in (DESTINACOES, BAIXAS):
    _READING[_kind].add_card(route)


@route("GET", "/imoveis/{id_:uuid}/baixar")
async def choose_motive(ctx: RequestContext, id_: UUID) -> Reply:
    """The motives that this imóvel may leave by, with what each asks for; and why the others are closed."""
    ctx.access.require(rules.BAIXAR)
    stored = orjson.loads(await obter(ctx, IMOVEIS, id_))
    labels = {name: str(spec.ui.label) for name, spec in BAIXAS.entity.fields.items()}
    return page(
        "imoveis/motivos.html",
        kind=IMOVEIS,
        stored=stored,
        motives=[
            (
                motive,
                [labels[name] for name in REQUIRED[motive]],
                rules.why_not_alienated(motive, stored["destinacao"], stored["posse"]),
            )
            for motive in MotivoDaBaixaDeImovel
        ],
    )


def _card(title: str) -> list[FieldSpec]:
    return [spec for spec in IMOVEL.fields.values() if spec.ui.section == title and spec.name != "nome"]


# What the card shows under each heading; number, state and name have places of their own.
_CARD = {title: _card(title) for title in IMOVEL.sections if title}


@route("GET", "/imoveis/{id_:uuid}")
async def ficha_do_imovel(ctx: RequestContext, id_: UUID) -> Reply:
    """The card: what it is, where on the map, what happened."""
    stored = orjson.loads(await obter(ctx, IMOVEIS, id_))
    documents = await documents_of(ctx, "imovel", id_, changes=stored["estado"] != EstadoDoImovel.BAIXADO)
    return await _READING[IMOVEIS].card(
        ctx, id_, "imoveis/ficha.html", sections=_CARD, map_path=_map_path(stored), documents=documents
    )


def _map_path(stored: dict[str, Any]) -> str:
    """Where its position is seen on a map; empty where none is known."""
    if stored["latitude"] is None:
        return ""
    place = {"mlat": stored["latitude"], "mlon": stored["longitude"]}
    return f"https://www.openstreetmap.org/?{urlencode(place)}#map=18/{stored['latitude']}/{stored['longitude']}"
