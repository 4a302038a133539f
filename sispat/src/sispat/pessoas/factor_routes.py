"""The second factor: enrolled, asked for, taken away; pages and API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from sispat.http.cookies import origin_of, set_session_cookies
from sispat.http.responses import json_response
from sispat.http.resume import CARRIED_PREFIX, Resubmission, carried, local_path
from sispat.http.route import Reply, Routes
from sispat.http.service import service_of
from sispat.http.session import RequestContext, token_of
from sispat.http.slices import site_of
from sispat.http.submission import Submission
from sispat.kernel import tokens
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import lazy
from sispat.kernel.sessions import OpenedSession
from sispat.pessoas import accounts, rules, second_factor
from sispat.pessoas.attempts import AttemptGuard, TooManyAttempts
from sispat.pessoas.documents import CodigosDeRecuperacao, FatorComecado, SessaoConfirmada
from sispat.pessoas.fields import Codigo
from sispat.pessoas.second_factor import Enrolment
from sispat.ui.pages import page, redirect, render

__all__ = ["route"]

route = Routes()

_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
_PAGE = "/conta/segundo-fator"
_CODE = "/entrar/codigo"


async def _confirm(request: Request, code: str) -> OpenedSession:
    service = service_of(request)
    guard, token = service.resource(AttemptGuard), token_of(request)[0]
    access = request.state.access
    return await second_factor.confirmar(
        service.db, guard, service.sealer, access, token, code, service.lifetime, origin_of(request)
    )


@route(
    "POST", "/api/auth/codigo", tag="auth", response=SessaoConfirmada, summary="Confirmar o código",
    while_pending=["codigo"],
)  # fmt: skip
async def confirmar_codigo(request: Request, typed: Codigo) -> Response:
    """O código do aplicativo, ou um de recuperação; responde com o token novo da sessão, que toma o lugar do anterior."""
    opened = await _confirm(request, typed.codigo)
    response = json_response({"token": opened.token, "csrf": tokens.csrf_for(opened.token)}, 200, **_NO_STORE)
    set_session_cookies(request, response, opened)
    return response


@route(
    "POST", "/api/auth/segundo-fator", tag="auth", response=FatorComecado, summary="Começar um segundo fator",
    while_pending=["fator"],
)  # fmt: skip
async def comecar_segundo_fator(ctx: RequestContext) -> Response:
    """Só passa a ser pedido depois do primeiro código (PUT)."""
    begun = await second_factor.comecar(ctx, ctx.service.sealer)
    return json_response({"chave": begun.secret, "endereco": begun.address}, 200, **_NO_STORE)


@route(
    "PUT", "/api/auth/segundo-fator", tag="auth", response=CodigosDeRecuperacao, summary="Ativar o segundo fator",
    while_pending=["fator"],
)  # fmt: skip
async def ativar_segundo_fator(ctx: RequestContext, typed: Codigo) -> Response:
    """Com o primeiro código; os códigos de recuperação são ditos só nesta resposta."""
    done = await second_factor.ativar(ctx, ctx.service.sealer, typed.codigo)
    if isinstance(done, Enrolment):
        raise InvalidData({"codigo": _WRONG})
    return json_response({"codigos": done}, 200, **_NO_STORE)


_WRONG = lazy("O código não confere. Veja se a hora do celular está certa e digite o próximo.")


@route("DELETE", "/api/usuarios/{id_}/segundo-fator", tag="usuarios", status=204, summary="Retirar o segundo fator")
async def retirar_segundo_fator(ctx: RequestContext, id_: UUID) -> Response:
    """Encerra as sessões da pessoa; ela entra só com a senha, e, onde o papel o exige, cadastra outro."""
    await accounts.obter(ctx, id_)
    await second_factor.retirar(ctx, id_)
    return Response(status_code=204)


@route("POST", "/usuarios/{id_:uuid}/segundo-fator/retirar")
async def receive_retirar(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """Take it away; then the person's card."""
    del submission  # it was read for its CSRF token
    await second_factor.retirar(ctx, id_)
    return redirect(f"/usuarios/{id_}", feito="fator_retirado")


@route("GET", _PAGE, while_pending=["fator"])
async def factor_page(ctx: RequestContext) -> Reply:
    """Whether one has a second factor, and the way to one."""
    return _factor_page(ativo=await second_factor.esta_ativo(ctx))


@route("POST", _PAGE + "/comecar", while_pending=["fator"])
async def receive_comecar(ctx: RequestContext, submission: Submission) -> Reply:
    """The QR code, and the form for the first code."""
    del submission
    return _factor_page(begun=await second_factor.comecar(ctx, ctx.service.sealer))


@route("POST", _PAGE, while_pending=["fator"])
async def receive_ativar(ctx: RequestContext, submission: Submission) -> Reply:
    """The recovery codes, shown this once, or the form again."""
    done = await second_factor.ativar(ctx, ctx.service.sealer, submission.values.get("codigo_de_entrada", "")[:40])
    if isinstance(done, Enrolment):
        return _factor_page(422, begun=done, erro=_WRONG)
    return _factor_page(ativo=True, codigos=done)


def _factor_page(
    status: int = 200,
    *,
    ativo: bool = False,
    begun: Enrolment | None = None,
    codigos: list[str] | None = None,
    erro: str = "",
) -> Reply:
    qr = Markup(segno.make(begun.address).svg_inline(scale=5, border=2, title="QR")) if begun else ""  # noqa: S704 - ours
    return page(
        "pessoas/segundo_fator.html", status, ativo=ativo, segredo=begun.secret if begun else "", qr=qr,
        codigos=codigos or [], erro=erro,
    )  # fmt: skip


@route("GET", _CODE, while_pending=["codigo"])
async def code_page(ctx: RequestContext) -> Reply:
    """Asks for the code."""
    ctx.access.require(rules.CONTA_PROPRIA)
    return page(
        "pessoas/codigo.html", erro="", proximo=local_path(ctx.request.query_params.get("proximo", "/")), levados={}
    )


def ask_for_code(request: Request, opened: OpenedSession, after: str, values: dict[str, str]) -> Response:
    """The page that asks for the code, right after the password; `values` are carried on to the form at `after`."""
    levados = {CARRIED_PREFIX + name: value for name, value in values.items()}
    csrf = tokens.csrf_for(opened.token)
    response = render(request, "pessoas/codigo.html", erro="", proximo=after, levados=levados, csrf=lambda: csrf)
    set_session_cookies(request, response, opened)
    return response


@route("POST", _CODE, while_pending=["codigo"])
async def receive_code(request: Request, submission: Submission) -> Response:
    """Complete the session; then the page asked for before, or the form that was being filled in."""
    after = local_path(submission.values.get("proximo", "/"))
    status, headers = 422, dict[str, str]()
    try:
        opened = await _confirm(request, submission.values.get("codigo_de_entrada", "")[:40])
    except InvalidData as error:
        message = error.fields["codigo"]
    except TooManyAttempts as error:
        status, headers, message = 429, {"Retry-After": str(error.wait)}, error.message
    else:
        values = carried(submission)
        if values and site_of(request).resumable(after):
            return Resubmission(request, after, values, opened)
        response = redirect(after)
        set_session_cookies(request, response, opened)
        return response
    levados = {name: value for name, value in submission.values.items() if name.startswith(CARRIED_PREFIX)}
    return render(request, "pessoas/codigo.html", status, headers, erro=message, proximo=after, levados=levados)
