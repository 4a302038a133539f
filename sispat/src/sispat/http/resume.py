"""What was typed outlives what went wrong.

Promises: a submission that met an expired session, a missing CSRF token or an absent database is carried on in
the page that says so; after signing in, the same form is shown again, filled, for review - nothing is saved without
a look at it, unless the same person just sends again what the database could not take. Secrets are never carried.
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sispat.http.cookies import set_session_cookies
from sispat.http.headers import PRIVATE_HEADERS
from sispat.http.session import cookie_name
from sispat.http.submission import Submission
from sispat.kernel import tokens
from sispat.kernel.sessions import OpenedSession

__all__ = ["CARRIED_PREFIX", "Resubmission", "carried", "local_path"]

CARRIED_PREFIX = "retomada."  # of the hidden fields that carry a submission through signing in


def local_path(path: str) -> str:
    """`path` if it leads to one of our pages, else the first page: nobody is sent elsewhere after signing in."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return "/"
    try:
        parts = urlsplit(path)
    except ValueError:  # such as a bracket that is not closed
        return "/"
    return "/" if parts.path in ("/entrar", "/sair") or parts.path.startswith("/api") else path


def carried(submission: Submission) -> dict[str, str]:
    """The submission that a sign-in form carries."""
    return {
        name.removeprefix(CARRIED_PREFIX): value
        for name, value in submission.values.items()
        if name.startswith(CARRIED_PREFIX)
    }


class Resubmission(Response):
    """The form at `path`, filled with `values`, for the person who has just signed in."""

    def __init__(self, request: Request, path: str, values: dict[str, str], opened: OpenedSession) -> None:
        super().__init__(headers=PRIVATE_HEADERS)
        set_session_cookies(request, self, opened)
        self._path = path
        self._cookie = f"{cookie_name(request)}={opened.token}".encode()
        self._body = urlencode({**values, "_csrf": tokens.csrf_for(opened.token), "_rever": "1"}).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask our own form, and add the new session's cookie to its answer."""
        del receive  # the sign-in form has been read; what the form gets is `values`
        own = {b"cookie", b"content-length", b"content-type", b"transfer-encoding", b"authorization"}
        headers = [pair for pair in scope["headers"] if pair[0] not in own]
        headers += [
            (b"cookie", self._cookie),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", str(len(self._body)).encode()),
        ]
        inner = {
            "type": "http",
            **{n: scope[n] for n in ("asgi", "http_version", "scheme", "server", "client", "app") if n in scope},
            **{n: v for n, v in scope.items() if n.startswith("starlette.")},
            "method": "POST",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": scope.get("root_path", ""),
            "query_string": b"",
            "headers": headers,
            "state": {**scope["state"], "submission": None},
        }
        session = [pair for pair in self.raw_headers if pair[0] == b"set-cookie"]
        body = self._body

        async def receive_body() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send_with_session(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *session]}
            await send(message)

        await inner["app"].router(inner, receive_body, send_with_session)
