"""Stylesheet, scripts and pictures.

Promises: all are in memory; their address holds a hash of the content, so that a browser keeps them for good
and a new version is asked for at once. An old address gets the present content, not to be kept.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["STATIC_PATH", "content_of", "serve", "static_path"]

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class _File(NamedTuple):
    content: bytes
    digest: str
    type_: str


def _read(file: Path) -> _File:
    content = file.read_bytes()
    return _File(content, blake2b(content, digest_size=6).hexdigest(), _TYPES[file.suffix])


_FILES = {file.name: _read(file) for file in sorted(_FOLDER.iterdir()) if file.suffix in _TYPES}

STATIC_PATH = "/static/{digest}/{name}"


def static_path(name: str) -> str:
    """Where `name` is served, in its present version."""
    return f"/static/{_FILES[name].digest}/{name}"


def content_of(name: str) -> bytes:
    """What `name` holds, for an address of its own."""
    return _FILES[name].content


async def serve(request: Request) -> Response:
    """One file, or 304 where the browser has it."""
    file = _FILES.get(request.path_params["name"])
    if file is None:
        raise HTTPException(404)
    etag = f'"{file.digest}"'
    current = request.path_params["digest"] == file.digest
    keep = "public, max-age=31536000, immutable" if current else "no-cache"
    headers = {"Cache-Control": keep, "ETag": etag, "Vary": "Accept-Encoding"}
    if file.digest in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.type_)
