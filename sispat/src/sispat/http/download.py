"""A stored file as an answer.

Promises: the browser neither guesses what it is (nosniff) nor runs anything in it (a sandbox without scripts, no other
sources), shows pictures and downloads everything else, keeps it for this person alone and asks again each time whether it
still may have it. PDFs are never shown: a viewer may run what is in them, and Chromium's refuses to work in a sandbox. Parts
can be asked for (RFC 9110, 14), as after a cut. Its name is sent as RFC 6266 says: in UTF-8, and in ASCII for who knows
nothing else. Whether the person may have it is for who makes a `Download` to ask. Of a content in an object store one megabyte
is in memory at a time; where the store goes away in the middle, the connection is cut: nobody takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from sispat.http.responses import has_etag
from sispat.kernel.files import IMAGES, ContentMissing, FileStore, Format, LocalContent, RemoteContent

__all__ = ["Download"]

_logger = logging.getLogger("sispat.documentos")
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Authorization, Cookie",
}


_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)
_AT_ONCE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Download:
    """A content of `store`, or its `small` picture, called `name`; `etag` differs whenever it does."""

    store: FileStore
    sha256: bytes
    name: str
    format: Format
    etag: str
    small: bool = False

    async def response(self, request: Request) -> Response:
        """The content, a part of it, or 304; raises `ContentMissing`, `StoreAway`."""
        headers = {**_HEADERS, "ETag": f'"{self.etag}"', "Content-Disposition": self._disposition()}
        if has_etag(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        found = await asyncio.to_thread(self._found)
        if found is None:
            _logger.error("o conteúdo %s de “%s” não está no disco, nem no armazém", self.sha256.hex(), self.name)
            raise ContentMissing(self.name, shared=self.store.shared)
        content, about = found
        if isinstance(content, LocalContent):
            return FileResponse(content.path, headers=headers, media_type=self.format.media_type, stat_result=about)
        return _remote(content, request, headers, self.format.media_type)

    def _found(self) -> tuple[LocalContent | RemoteContent, os.stat_result | None] | None:
        content = self.store.find(self.sha256, small=self.small)
        if content is None:
            return None
        if isinstance(content, RemoteContent):
            return content, None
        try:
            return content, content.path.stat()
        except FileNotFoundError:  # removed at this moment
            return None

    def _disposition(self) -> str:
        kind = "inline" if self.format in IMAGES else "attachment"
        plain = self.name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_").replace("?", "_")
        return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(self.name, safe='')}"


def _remote(content: RemoteContent, request: Request, headers: dict[str, str], media_type: str) -> Response:
    """All of it, or the one range that is asked for; of several the whole is sent, as RFC 9110 (14.2) allows."""
    start, end, headers = 0, content.size, {**headers, "Accept-Ranges": "bytes"}
    asked = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    fresh = request.headers.get("if-range", headers["ETag"]) == headers["ETag"]
    partly = asked is not None and any(asked.groups()) and fresh
    if asked is not None and partly:
        first, last = asked.groups()
        start = int(first) if first else max(0, content.size - int(last))
        end = min(content.size, int(last) + 1) if first and last else content.size
        if start >= end:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{content.size}"})
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    headers["Content-Length"] = str(end - start)
    body = _parts(content, start, end) if request.method != "HEAD" else _parts(content, 0, 0)
    return StreamingResponse(body, 206 if partly else 200, headers, media_type)


async def _parts(content: RemoteContent, start: int, end: int) -> AsyncIterator[bytes]:
    while start < end:
        part = await asyncio.to_thread(content.read, start, min(_AT_ONCE, end - start))
        start += len(part)
        yield part
