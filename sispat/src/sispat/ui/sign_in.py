"""The sign-in page: also what an ended session shows, carrying what was typed."""

from __future__ import annotations

import datetime as dt

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.cookies import secure
from sispat.http.errors import Problem
from sispat.http.resume import CARRIED_PREFIX, carried, local_path
from sispat.http.service import service_of
from sispat.http.slices import site_of
from sispat.http.submission import submission_of
from sispat.kernel import tokens
from sispat.ui.pages import render

__all__ = ["PRE_SESSION", "sign_in_page"]

PRE_SESSION = "sispat_entrada"  # cookie that ties a sign-in form to the browser it was shown to


def sign_in_page(request: Request, *, problem: Problem | None = None, carry: bool = False) -> Response:
    """The form. `problem` is what keeps the person out; with `carry` the submission of this request is carried."""
    sent = submission_of(request)
    if carry and sent is not None and site_of(request).resumable(request.url.path):
        after, hidden = request.url.path, {**sent.typed(), **({"_chave": sent.key} if sent.key else {})}
    elif sent is not None and not carry:  # a sign-in that failed
        after, hidden = sent.values.get("proximo", "/"), carried(sent)
    else:
        after, hidden = request.query_params.get("proximo", "/"), {}
    settings = service_of(request).settings
    pre_session = request.cookies.get(PRE_SESSION) or tokens.new_token()
    errors = {e["field"]: e["message"] for e in problem.extras.get("errors", ())} if problem else {}
    response = render(
        request,
        "ui/sign_in.html",
        problem.status if problem else 200,
        problem.headers if problem else None,
        problem=problem,
        again_at=_again_at(problem),
        errors={site_of(request).labels.get(field, field): sentence for field, sentence in errors.items()},
        email=sent.values.get("email", "") if sent and not carry else "",
        after=local_path(after),
        hidden={CARRIED_PREFIX + name: value for name, value in hidden.items()},
        sign_in_csrf=tokens.csrf_for(pre_session),
        provider=settings.oidc_name if settings.oidc_issuer else "",
    )
    response.set_cookie(PRE_SESSION, pre_session, httponly=True, samesite="lax", secure=secure(request), path="/")
    return response


def _again_at(problem: Problem | None) -> dt.datetime | None:
    """When a person who has to wait may try again, a minute later rather than earlier."""
    if problem is None or problem.status != 429:
        return None
    wait = int(problem.headers["Retry-After"])
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=wait + 59)
