"""Any problem as a page: what happened, what to do, the way back, and what was typed.

Promises: the page itself needs no database. Somebody who is not signed in is led to signing in, with what they had
typed. Trying again sends the same submission with the same key, so that it is never done twice.
"""

from __future__ import annotations

from contextlib import suppress
from html import escape

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from esteio import EsteioError
from sispat.http.errors import Problem
from sispat.http.headers import PRIVATE_HEADERS
from sispat.http.maintenance import UnderMaintenance
from sispat.http.shedding import OVERLOADED
from sispat.http.slices import site_of
from sispat.http.submission import Submission, read_submission, submission_of
from sispat.kernel.errors import SispatError, StepPending
from sispat.kernel.i18n import _, language
from sispat.ui.pages import redirect, render
from sispat.ui.sign_in import sign_in_page

__all__ = ["error_page", "short_page"]

_SIGN_IN = "/entrar"


async def error_page(request: Request, problem: Problem) -> Response:
    """`problem` as a page."""
    sent = submission_of(request)
    maintenance = problem.code == UnderMaintenance.code
    unread = problem.status == 429 or maintenance or problem.code == OVERLOADED
    if unread and sent is None and request.method == "POST":
        sent = await _read(request)  # refused before anybody read it
    if request.url.path == _SIGN_IN and request.method == "POST":
        return sign_in_page(request, problem=problem)
    if problem.status == 401 and sent is None:
        if request.method == "POST":
            return sign_in_page(request, problem=problem)
        return redirect(_SIGN_IN, proximo=_address(request))
    if problem.status == 401:
        return sign_in_page(request, problem=problem, carry=True)
    if problem.code == StepPending.code:
        return redirect(problem.extras["page"])
    typed = sent.typed() if sent else {}
    labels = site_of(request).labels
    may_pass = problem.status >= 500 or problem.status == 429
    return render(
        request,
        "ui/maintenance.html" if maintenance else "ui/error.html",
        problem.status,
        problem.headers,
        problem=problem,
        fields=[(labels.get(e["field"], e["field"]), e["message"]) for e in problem.extras.get("errors", ())],
        typed={labels[n]: v for n, v in typed.items() if n in labels and v and not n.endswith("_id")},
        send_again=_send_again(request, problem),
        ask_again=_address(request) if request.method == "GET" and may_pass else "",
    )


def short_page(problem: Problem) -> Response:
    """`problem` in few bytes and without a template: what a stranger gets while every millisecond is somebody else's."""
    title, message, again = escape(problem.title), escape(problem.message), escape(_("Tentar de novo"))
    html = (
        f'<!doctype html><html lang="{language()}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{title}</title><h1>{title}</h1><p>{message}</p><p><a href="">{again}</a></p></html>'
    )
    return HTMLResponse(html, problem.status, {**PRIVATE_HEADERS, **problem.headers})


async def _read(request: Request) -> Submission | None:
    with suppress(SispatError, EsteioError, ClientDisconnect):
        return await read_submission(request)
    return None


def _address(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _send_again(request: Request, problem: Problem) -> dict[str, str]:
    """The hidden fields of "try again"; empty where that cannot help."""
    sent = submission_of(request)
    if sent is None or not (problem.status >= 500 or problem.status == 429 or problem.code == "csrf"):
        return {}
    hidden = sent.typed() | ({"_chave": sent.key} if sent.key else {})
    # Whoever came without our token is shown the form before anything is saved: it may not be their doing.
    return hidden | ({"_rever": "1"} if problem.code == "csrf" or sent.review else {})
