"""Signing in and out, who is signed in, and blocks of signing in; pages and API."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.cookies import clear_session_cookie, origin_of, set_session_cookies
from sispat.http.responses import json_response
from sispat.http.resume import Resubmission, carried, local_path
from sispat.http.route import Reply, Routes
from sispat.http.service import service_of
from sispat.http.session import RequestContext, open_context, token_of
from sispat.http.slices import site_of
from sispat.http.submission import Submission
from sispat.kernel import tokens
from sispat.kernel.errors import ForgedRequest, NotAuthenticated
from sispat.kernel.permissions import ANY_STEP, Access
from sispat.kernel.sessions import OpenedSession
from sispat.pessoas import account_routes, actions, factor_routes, key_routes, oidc_routes, own_routes, sign_in
from sispat.pessoas.attempts import AttemptGuard
from sispat.pessoas.documents import Bloqueio, Pessoa, SessaoAberta
from sispat.pessoas.factor_routes import ask_for_code
from sispat.pessoas.fields import Credenciais
from sispat.ui.pages import page, redirect
from sispat.ui.sign_in import PRE_SESSION, sign_in_page

__all__ = ["route"]

route = Routes()
route.include(account_routes.route)
route.include(key_routes.route)
route.include(own_routes.route)
route.include(factor_routes.route)
route.include(oidc_routes.route)

_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}


def _person(access: Access, csrf: str | None) -> dict[str, Any]:
    return {
        "id": access.usuario_id,
        "nome": access.nome,
        "email": access.email,
        "papel": access.papel,
        "setores": access.setores,
        "csrf": csrf,
        "pendente": access.pending,
    }


async def _sign_in(request: Request, typed: Credenciais) -> OpenedSession:
    service = service_of(request)
    service.require_open()
    guard = service.resource(AttemptGuard)
    required = frozenset(service.settings.second_factor.split(","))
    provisional_for = timedelta(seconds=service.settings.provisional_password)
    return await sign_in.entrar(
        service.db, guard, typed, service.lifetime, origin_of(request), required, provisional_for
    )


@route("POST", "/api/auth/login", tag="auth", response=SessaoAberta, summary="Entrar", public=True)
async def login(request: Request, credenciais: Credenciais) -> Response:
    """E-mail e senha; responde com a sessão como cookie e como `token` para `Authorization: Bearer`."""
    opened = await _sign_in(request, credenciais)
    person = _person(opened.access, tokens.csrf_for(opened.token))
    response = json_response({"token": opened.token, "usuario": person}, **_NO_STORE)
    set_session_cookies(request, response, opened)
    return response


@route("POST", "/api/auth/logout", tag="auth", status=204, summary="Sair", while_pending=ANY_STEP)
async def logout(ctx: RequestContext) -> Response:
    """Encerra a sessão na hora, em todos os processos."""
    await sign_in.sair(ctx, token_of(ctx.request)[0])
    response = Response(status_code=204)
    clear_session_cookie(ctx.request, response)
    return response


@route("GET", "/api/auth/me", tag="auth", response=Pessoa, summary="Quem sou eu", while_pending=ANY_STEP)
async def me(ctx: RequestContext) -> Response:
    """A pessoa da sessão, e um token CSRF se ela veio por cookie."""
    token, by_cookie = token_of(ctx.request)
    person = _person(ctx.access, tokens.csrf_for(token) if by_cookie else None)
    return json_response(person, **_NO_STORE)


@route("GET", "/entrar", public=True)
async def sign_in_form(request: Request) -> Response:
    """The form; needs no database."""
    return sign_in_page(request)


@route("POST", "/entrar", public=True)
async def receive_sign_in(request: Request, submission: Submission) -> Response:
    """Open a session; then the page asked for before, or the form that was being filled in."""
    if not tokens.csrf_matches(request.cookies.get(PRE_SESSION, ""), submission.csrf):
        raise ForgedRequest
    typed = Credenciais.parse({name: submission.values.get(name, "") for name in ("email", "password")})
    opened = await _sign_in(request, typed)
    after = local_path(submission.values.get("proximo", "/"))
    values = carried(submission)
    if opened.access.pending == "codigo":
        return ask_for_code(request, opened, after, values)
    if values and site_of(request).resumable(after):
        return Resubmission(request, after, values, opened)
    response = redirect(after)
    set_session_cookies(request, response, opened)
    return response


@route("POST", "/sair", public=True, while_pending=ANY_STEP)
async def sign_out(request: Request, submission: Submission) -> Response:
    """End the session; one that has ended already is no error, so that only our own form is asked for."""
    with suppress(NotAuthenticated):
        async with open_context(request, csrf=submission.csrf) as ctx:
            await sign_in.sair(ctx, token_of(request)[0])
    response = redirect("/entrar")
    clear_session_cookie(request, response)
    return response


@route("GET", "/api/bloqueios", tag="bloqueios", response=list[Bloqueio], summary="Bloqueios em vigor")
async def bloqueios(ctx: RequestContext) -> Response:
    """Quem não pode tentar entrar por ora, do mais novo ao mais antigo."""
    return json_response(await actions.bloqueios_em_vigor(ctx))


@route("POST", "/api/bloqueios/{id_}/liberacao", tag="bloqueios", status=204, summary="Liberar")
async def liberar(ctx: RequestContext, id_: UUID) -> Response:
    """Encerra o bloqueio na hora, em todas as máquinas."""
    await actions.liberar(ctx, id_)
    return Response(status_code=204)


@route("GET", "/bloqueios")
async def bloqueios_page(ctx: RequestContext) -> Reply:
    """What is blocked now."""
    return page("pessoas/bloqueios.html", linhas=await actions.bloqueios_em_vigor(ctx))


@route("POST", "/bloqueios/{id_:uuid}/liberar")
async def receive_liberar(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """Lift one; then the list."""
    del submission  # it was read for its CSRF token
    await actions.liberar(ctx, id_)
    return redirect("/bloqueios", feito="liberado")
