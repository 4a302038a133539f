"""Answers: JSON that is already bytes, validators for caches, conditions on versions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sispat.kernel.errors import VersionRequired

__all__ = [
    "PDF",
    "Document",
    "has_etag",
    "json_response",
    "page_of_documents",
    "pdf_headers",
    "pdf_response",
    "required_version",
]

PDF = "application/pdf"
_JSON = "application/json"
_PRIVATE = "private, no-cache"  # may be kept by the person's own browser, asked again each time


def page_of_documents(documents: Sequence[str], following: str | None, preceding: str | None) -> bytes:
    """A page of documents that PostgreSQL already built, with the keys of its neighbours."""
    return b'{"items":[%b],"next":%b,"previous":%b}' % (
        ",".join(documents).encode(),
        orjson.dumps(following),
        orjson.dumps(preceding),
    )


def json_response(value: object, status: int = 200, **headers: str) -> Response:
    """Any value as JSON; dates ISO, decimals as strings so that no cent is lost."""
    return Response(orjson.dumps(value, default=str), status, headers, _JSON)


def pdf_response(pdf: bytes, name: str, **headers: str) -> Response:
    """A PDF that browsers show, and keep by this name."""
    return Response(pdf, 200, {**pdf_headers(name), **headers}, PDF)


def pdf_headers(name: str) -> dict[str, str]:
    """Of the same, for one that is sent in pieces."""
    return {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": _PRIVATE}


@dataclass(frozen=True, slots=True)
class Document:
    """200 with an ETag, or 304 when the client has just this. With `version`, the tag also serves If-Match."""

    body: bytes
    version: int | None = None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Document:
        """A row with its `versao`."""
        return cls(orjson.dumps(row, default=str), row["versao"])

    @classmethod
    def built(cls, document: str) -> Document:
        """A versioned document that PostgreSQL built."""
        body = document.encode()
        return cls(body, orjson.loads(body)["versao"])

    async def response(self, request: Request) -> Response:
        """The answer."""
        digest = sha256(self.body).hexdigest()[
            :16
        ]  # in hardware where there is any: half the time of blake2b for a list
        etag = f'W/"{digest}"' if self.version is None else f'"{self.version}.{digest}"'
        headers = {"ETag": etag, "Cache-Control": _PRIVATE, "Vary": "Accept-Encoding, Authorization, Cookie"}
        if has_etag(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, 200, headers, _JSON)


def has_etag(sent: str, etag: str) -> bool:
    """Weak comparison (RFC 9110, 8.8.3.2): a compressed answer keeps its validator."""
    if sent in ("", "*"):
        return sent == "*"
    return etag.removeprefix("W/") in [part.strip().removeprefix("W/") for part in sent.split(",")]


def required_version(request: Request) -> int:
    """The version named by If-Match (`"3"` or the whole ETag); raises `VersionRequired` without one (RFC 6585, 3).

    `*` names none, and is refused like nothing: it would overwrite what its sender has not seen.
    """
    found = re.fullmatch(r'(?:W/)?"?(\d{1,9})(?:\.[0-9a-f]+)?"?', request.headers.get("if-match", "").strip())
    if found is None:
        raise VersionRequired
    return int(found[1])
