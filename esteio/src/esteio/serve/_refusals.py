"""What a client is told that the server itself refuses: problem+json for programs, a page for people.

Promises: each is complete HTTP with its length, is kept by no cache, and closes its connection. Nothing in it comes from
the request.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus

__all__ = ["BAD_REQUEST", "HEAD_TOO_LARGE", "OVERLOADED", "TOO_MANY", "TOO_SLOW", "Refusal", "RefusalWords"]

_PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head>
<body><h1>{title}</h1><p>{detail}</p></body></html>
"""

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class RefusalWords:
    """How refusals are worded: `texts` has (title, detail) for a code, in the language `lang`; what it has not is English.

    The codes: `bad-request`, `head-too-large`, `request-too-slow`, `overloaded`, `too-many-connections`.
    """

    lang: str = "en"
    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`retry_after`: seconds, or None where the same request will never be taken."""

    code: str
    status: HTTPStatus
    detail: str
    retry_after: int | None = None

    def response(self, words: RefusalWords, headers: Headers, default_headers: Headers = ()) -> bytes:
        """The whole answer, in the form that `headers` of the request accept."""
        fields, body = self._content(words, headers)
        lines = [b"HTTP/1.1 %d %s" % (self.status, self.status.phrase.encode())]
        lines += [name + b": " + value for name, value in (*default_headers, *fields)]
        return b"\r\n".join([*lines, b"", body])

    def _content(self, words: RefusalWords, headers: Headers) -> tuple[list[tuple[bytes, bytes]], bytes]:
        accept = next((value for name, value in headers if name == b"accept"), b"")
        title, detail = words.texts.get(self.code, (self.status.phrase, self.detail))
        if b"text/html" in accept:
            page = _PAGE.format(lang=words.lang, title=escape(title), detail=escape(detail))
            kind, body = b"text/html; charset=utf-8", page.encode()
        else:
            problem = {"type": f"urn:esteio:problem:{self.code}", "title": title, "status": int(self.status)}
            kind, body = b"application/problem+json", json.dumps({**problem, "detail": detail}).encode()
        fields = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        if self.retry_after is not None:
            # Spread, so that all who are refused in the same moment do not come back in the same moment.
            seconds = self.retry_after + random.randint(0, self.retry_after)  # noqa: S311
            fields.append((b"retry-after", str(seconds).encode()))
        return fields, body


BAD_REQUEST = Refusal("bad-request", HTTPStatus.BAD_REQUEST, "The request is not valid HTTP/1.1.")
HEAD_TOO_LARGE = Refusal(
    "head-too-large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The address and the headers are too long together."
)
TOO_SLOW = Refusal(
    "request-too-slow", HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time; send it again.", 1
)
OVERLOADED = Refusal(
    "overloaded", HTTPStatus.SERVICE_UNAVAILABLE, "There are too many requests at the moment; try again soon.", 2
)
TOO_MANY = Refusal(
    "too-many-connections",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "There are too many connections at the moment; close some and try again.",
    2,
)
