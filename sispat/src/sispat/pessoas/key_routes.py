"""API keys; pages and API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.http.responses import json_response, page_of_documents
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.errors import InvalidData
from sispat.pessoas import keys
from sispat.pessoas.account_routes import card
from sispat.pessoas.documents import Chave, ChaveCriada, PaginaDeChaves
from sispat.pessoas.fields import ListaDeChaves, NovaChave
from sispat.pessoas.listing import AccountsPage
from sispat.ui.pages import page, redirect

__all__ = ["route"]

route = Routes()

_API = "/api/chaves"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}


@route("GET", _API, tag="chaves", response=PaginaDeChaves, summary="Listar")
async def listar_chaves(ctx: RequestContext, pedido: ListaDeChaves) -> Response:
    """As chaves de todas as integrações, ou de uma, por nome; nunca o segredo."""
    found = await keys.listar(ctx, pedido)
    documents = [orjson.dumps(row, default=str).decode() for row in found.rows]
    return Response(page_of_documents(documents, found.following, found.preceding), media_type="application/json")


@route("GET", _API + "/{id_}", tag="chaves", response=Chave, summary="Obter")
async def obter_chave(ctx: RequestContext, id_: UUID) -> Response:
    """Uma chave, sem o segredo."""
    return json_response(await keys.obter(ctx, id_))


@route("POST", "/api/usuarios/{id_}/chaves", tag="chaves", response=ChaveCriada, status=201, summary="Criar")
async def criar_chave(ctx: RequestContext, id_: UUID, dados: NovaChave) -> Response:
    """Só de uma integração. O segredo é dito só nesta resposta, que por isso não se repete: sem Idempotency-Key."""
    made = await keys.criar(ctx, id_, dados)
    location = f"{_API}/{made.row['id']}"
    return json_response({"chave": made.row, "segredo": made.secret}, 201, Location=location, **_NO_STORE)


@route("POST", _API + "/{id_}/revogacao", tag="chaves", response=Chave, summary="Revogar")
async def revogar_chave(ctx: RequestContext, id_: UUID) -> Response:
    """Na hora, em todos os processos, e para sempre."""
    return json_response(await keys.revogar(ctx, id_))


@route("GET", "/chaves")
async def list_page(ctx: RequestContext) -> Reply:
    """A page of keys, by name."""
    query = ctx.request.query_params
    typed = {name: query[name] for name in ("em_vigor", "pagina") if query.get(name)}
    error, found = "", AccountsPage([])
    try:
        found = await keys.listar(ctx, ListaDeChaves.parse(typed))
    except InvalidData as invalid:
        error = next(iter(invalid.fields.values()))
    return page(
        "pessoas/chaves.html", 422 if error else 200,
        linhas=found.rows, proxima=found.following, anterior=found.preceding, erro=error,
        em_vigor=bool(typed.get("em_vigor")),
    )  # fmt: skip


@route("POST", "/usuarios/{id_:uuid}/chaves")
async def receive_chave(ctx: RequestContext, id_: UUID, submission: Submission) -> Reply:
    """The integration's card with the new key, which is in no address and in no stored answer; or with what is wrong."""
    typed = {name: submission.values.get(name, "") for name in ("nome", "dias")}
    try:
        made = await keys.criar(ctx, id_, NovaChave.parse(typed))
    except InvalidData as error:
        return await card(ctx, id_, 422, chave=typed, erros=error.fields)
    return await card(ctx, id_, segredo=made.secret)


@route("POST", "/chaves/{id_:uuid}/revogar")
async def receive_revogar(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """Revoke it; then the list, or the card of its integration where the button was there."""
    row = await keys.revogar(ctx, id_)
    card = submission.values.get("_de") == "usuario"
    return redirect(f"/usuarios/{row['usuario_id']}" if card else "/chaves", feito="chave_revogada")
