"""A form that somebody sends from the page.

Promises: one that another site sent is refused, by what the browser says of it; so is one that is too large to be ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

__all__ = ["read_form"]

_LARGEST = 8_192  # bytes


async def read_form(request: Request) -> Mapping[str, str] | Response:
    """The form; or why it is none of ours."""
    if not _from_here(request):
        return PlainTextResponse("another site sent this form\n", 403)
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST:
            return PlainTextResponse(f"the form is larger than {_LARGEST} bytes\n", 413)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _from_here(request: Request) -> bool:
    """As far as browsers say (Fetch Metadata; before it, the origin); programs that say nothing are no browsers."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
