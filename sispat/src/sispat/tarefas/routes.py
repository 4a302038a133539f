"""Jobs; pages and API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response

from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.slices import site_of
from sispat.http.submission import Submission
from sispat.kernel.jobs.queue import Estado
from sispat.tarefas import actions
from sispat.tarefas.fields import ListaDeTarefas, PaginaDeTarefas, Tarefa, document_of
from sispat.ui.pages import page, redirect

__all__ = ["route"]

route = Routes()
_API = "/api/tarefas"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}  # it changes by the second


def _shown(ctx: RequestContext, row: dict[str, Any]) -> dict[str, Any]:
    return document_of(row, site_of(ctx.request).jobs)


@route("GET", _API, tag="tarefas", response=PaginaDeTarefas, summary="Listar")
async def listar(ctx: RequestContext, pedido: ListaDeTarefas) -> Response:
    """As próprias, da mais nova à mais antiga; um administrador vê as de todos. As que terminaram ficam 30 dias."""
    rows, following = await actions.listar(ctx, pedido)
    body = {"items": [_shown(ctx, row) for row in rows], "next": following, "previous": None}
    return json_response(body, **_NO_STORE)


@route("GET", _API + "/{id_}", tag="tarefas", response=Tarefa, summary="Obter")
async def obter(ctx: RequestContext, id_: UUID) -> Response:
    """Em que pé está; pergunte de novo a cada segundo ou mais."""
    return json_response(_shown(ctx, await actions.obter(ctx, id_)), **_NO_STORE)


@route("POST", _API + "/{id_}/cancelamento", tag="tarefas", response=Tarefa, summary="Cancelar")
async def cancelar(ctx: RequestContext, id_: UUID) -> Response:
    """A que espera não começa; a que está em andamento é interrompida em segundos, e nada dela fica gravado.

    A que já terminou fica como está: `estado` diz se foi feita.
    """
    return json_response(_shown(ctx, await actions.cancelar(ctx, id_)), **_NO_STORE)


@route("GET", "/tarefas")
async def list_page(ctx: RequestContext) -> Reply:
    """A page of jobs, newest first."""
    asked = ListaDeTarefas(cursor=ctx.request.query_params.get("cursor", "")[:20])
    rows, following = await actions.listar(ctx, asked)
    shown = [_shown(ctx, row) for row in rows]
    return page("tarefas/lista.html", tarefas=shown, following=following, estados=Estado.labels())


@route("GET", "/tarefas/{id_:uuid}")
async def card(ctx: RequestContext, id_: UUID) -> Reply:
    """How far it is; without JavaScript the page loads itself again until it has ended."""
    shown = _shown(ctx, await actions.obter(ctx, id_))
    return page("tarefas/tarefa.html", tarefa=shown, running=shown["terminada_em"] is None, estados=Estado.labels())


@route("POST", "/tarefas/{id_:uuid}/cancelar")
async def receive_cancel(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """Cancel it; its page says what came of that."""
    del submission  # it was read for its CSRF token
    await actions.cancelar(ctx, id_)
    return redirect(f"/tarefas/{id_}")
