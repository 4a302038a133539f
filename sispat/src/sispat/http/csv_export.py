"""Records as CSV, streamed.

Promises: memory stays bounded whatever the size, and no connection is held while a lot is sent; a value that a
spreadsheet would run as a formula is defused; what people open in a Brazilian spreadsheet reads right (UTF-8 with BOM,
semicolons, decimal comma). An error after the first line ends the connection short, so a cut file is not taken for a
whole one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sispat.http.session import RequestContext, open_context
from sispat.kernel.csv_lines import BOM, csv_lines
from sispat.kernel.fields import Cell

__all__ = ["CsvExport", "Lot"]

Line = Sequence[Cell]
Lot = Callable[[RequestContext, Any], Awaitable[tuple[Sequence[Line], Any]]]
"""Gives the next lines, and the key to go on from (None: these were the last), from the key of the lot before."""


@dataclass(frozen=True, slots=True)
class CsvExport:
    """What `lot` gives, as a download called `name`.

    Whoever makes it has asked for the permission already, so that the status could still say so.
    """

    name: str
    heading: Line
    lot: Lot

    async def response(self, request: Request) -> Response:
        """The answer."""
        headers = {"Content-Disposition": f'attachment; filename="{self.name}.csv"', "Cache-Control": "no-store"}
        return StreamingResponse(self._bytes(request), media_type="text/csv; charset=utf-8", headers=headers)

    async def _bytes(self, request: Request) -> AsyncIterator[bytes]:
        yield BOM + csv_lines([self.heading])
        after: Any = None
        while True:
            # A connection for each lot, given back before the lot is sent: however slowly somebody reads, nobody waits for a
            # connection because of it. The session is looked at each time, so that one that was ended gets no more.
            async with open_context(request) as ctx:
                lines, after = await self.lot(ctx, after)
            if lines:
                yield csv_lines(lines)
            if after is None:
                return
