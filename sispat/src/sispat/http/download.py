"""A stored file as an answer.

Promises: the browser neither guesses what it is (nosniff) nor runs anything in it (a sandbox without scripts, no other
sources), shows pictures and downloads everything else, keeps it for this person alone and asks again each time whether it
still may have it. PDFs are never shown: a viewer may run what is in them, and Chromium's refuses to work in a sandbox. Parts
can be asked for (RFC 9110, 14), as after a cut. Its name is sent as RFC 6266 says: in UTF-8, and in ASCII for who knows
nothing else. Whether the person may have it is for who makes a `Download` to ask.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from sispat.http.responses import has_etag
from sispat.kernel.files import IMAGES, ContentMissing, Format

__all__ = ["Download"]

_logger = logging.getLogger("sispat.documentos")
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Authorization, Cookie",
}


@dataclass(frozen=True, slots=True)
class Download:
    """The content at `path`, called `name`; `etag` differs whenever it does."""

    path: Path
    name: str
    format: Format
    etag: str

    async def response(self, request: Request) -> Response:
        """The file, a part of it, or 304; raises `ContentMissing`."""
        headers = {**_HEADERS, "ETag": f'"{self.etag}"', "Content-Disposition": self._disposition()}
        if has_etag(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        try:
            found = await asyncio.to_thread(self.path.stat)
        except FileNotFoundError:
            _logger.error("o conteúdo %s de “%s” não está no disco", self.path, self.name)
            raise ContentMissing(self.name) from None
        return FileResponse(self.path, headers=headers, media_type=self.format.media_type, stat_result=found)

    def _disposition(self) -> str:
        kind = "inline" if self.format in IMAGES else "attachment"
        plain = self.name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_").replace("?", "_")
        return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(self.name, safe='')}"
