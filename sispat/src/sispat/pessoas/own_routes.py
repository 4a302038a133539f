"""One's own account: password and sessions; pages and API."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.cookies import origin_of, set_session_cookies
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.service import service_of
from sispat.http.session import RequestContext, token_of
from sispat.http.submission import Submission
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.sessions import OpenedSession
from sispat.pessoas import accounts, own_password, rules
from sispat.pessoas.attempts import AttemptGuard, TooManyAttempts
from sispat.pessoas.documents import Sessao, SessoesEncerradas
from sispat.pessoas.fields import TrocaDaPropriaSenha
from sispat.ui.pages import page, redirect, render

__all__ = ["route"]

route = Routes()

_API = "/api/auth"
_PASSWORD = "/conta/senha"  # noqa: S105 - an address


async def _change_password(request: Request, typed: TrocaDaPropriaSenha) -> OpenedSession:
    service = service_of(request)
    guard = service.resource(AttemptGuard)
    token, _ = token_of(request)
    return await own_password.trocar(service.db, guard, request.state.access, token, typed, origin_of(request))


@route("PUT", _API + "/senha", tag="auth", status=204, summary="Trocar a própria senha", while_pending=["senha"])
async def trocar_propria_senha(request: Request, troca: TrocaDaPropriaSenha) -> Response:
    """Encerra as outras sessões; esta continua."""
    opened = await _change_password(request, troca)
    response = Response(status_code=204)
    if token_of(request)[1]:
        set_session_cookies(request, response, opened)
    return response


@route("GET", _API + "/sessoes", tag="auth", response=list[Sessao], summary="As próprias sessões")
async def sessoes(ctx: RequestContext) -> Response:
    """A usada por último primeiro."""
    return json_response(await _own_sessions(ctx))


@route("DELETE", _API + "/sessoes", tag="auth", response=SessoesEncerradas, summary="Encerrar as outras sessões")
async def encerrar_outras_sessoes(ctx: RequestContext) -> Response:
    """Todas menos a deste pedido."""
    ended = await accounts.encerrar_sessoes(ctx, ctx.access.usuario_id, keep=token_of(ctx.request)[0])
    return json_response({"encerradas": ended})


@route("DELETE", _API + "/sessoes/{id_}", tag="auth", status=204, summary="Encerrar uma das próprias sessões")
async def encerrar_propria_sessao(ctx: RequestContext, id_: UUID) -> Response:
    """Na hora, em todos os processos."""
    await accounts.encerrar_sessao(ctx, ctx.access.usuario_id, id_)
    return Response(status_code=204)


async def _own_sessions(ctx: RequestContext) -> list[dict[str, object]]:
    token, _ = token_of(ctx.request)
    return await accounts.sessoes(ctx, ctx.access.usuario_id, ctx.service.lifetime.idle, token)


@route("GET", "/conta")
async def own_page(ctx: RequestContext) -> Reply:
    """Who one is, and where one is signed in."""
    return page("pessoas/conta.html", sessoes=await _own_sessions(ctx))


@route("POST", "/conta/sessoes/encerrar")
async def receive_encerrar_outras(ctx: RequestContext, submission: Submission) -> Response:
    """End all sessions but this one."""
    del submission  # it was read for its CSRF token
    await accounts.encerrar_sessoes(ctx, ctx.access.usuario_id, keep=token_of(ctx.request)[0])
    return redirect("/conta", feito="sessoes_encerradas")


@route("POST", "/conta/sessoes/{id_:uuid}/encerrar")
async def receive_encerrar_sessao(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """End one session."""
    del submission
    await accounts.encerrar_sessao(ctx, ctx.access.usuario_id, id_)
    return redirect("/conta", feito="sessao_encerrada")


@route("GET", _PASSWORD, while_pending=["senha"])
async def password_page(ctx: RequestContext) -> Reply:
    """The form."""
    ctx.access.require(rules.CONTA_PROPRIA)
    return page("pessoas/senha.html", erros={})


@route("POST", _PASSWORD, while_pending=["senha"])
async def receive_password(request: Request, submission: Submission) -> Response:
    """Change it; then the account, or the form again."""
    request.state.access.require(rules.CONTA_PROPRIA)
    values = submission.values
    nova = values.get("senha_nova", "")
    try:
        if nova != values.get("senha_repetida", ""):
            raise InvalidData({"repetida": _("As duas vezes da senha nova não são iguais.")})
        typed = TrocaDaPropriaSenha.parse({"atual": values.get("senha_atual", ""), "nova": nova})
        opened = await _change_password(request, typed)
    except InvalidData as error:
        return render(request, "pessoas/senha.html", 422, erros=error.fields)
    except TooManyAttempts as error:
        headers = {"Retry-After": str(error.wait)}
        return render(request, "pessoas/senha.html", 429, headers, erros={"atual": error.message})
    response = redirect("/conta", feito="senha_trocada")
    set_session_cookies(request, response, opened)
    return response
