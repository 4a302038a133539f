"""Assets as CSV, streamed.

Promises: memory stays bounded whatever the size, and no connection is held while a lot is sent; a value that a
spreadsheet would run as a formula is defused; what people open in a Brazilian spreadsheet reads right (UTF-8 with BOM,
semicolons, decimal comma). An error after the first line ends the connection short, so a cut file is not taken for a
whole one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sispat.http.session import open_context
from sispat.patrimonios import actions
from sispat.patrimonios.actions import Key
from sispat.patrimonios.fields import PATRIMONIO
from sispat.patrimonios.listing import ListaDePatrimonios

__all__ = ["Export"]

# Every field of the table, by its name in documents; a person's registration beside the name.
_COLUMNS = [spec for spec in PATRIMONIO.fields.values() if spec.ui.in_csv]
_HEADINGS = (*(spec.member for spec in _COLUMNS), "matricula")


@dataclass(frozen=True, slots=True)
class Export:
    """All assets that `asked` matches, as a download."""

    asked: ListaDePatrimonios
    headers: Mapping[str, str] = field(default_factory=dict)

    async def response(self, request: Request) -> Response:
        """The answer; whoever makes it has asked for the permission already, so that the status could still say so."""
        own = {"Content-Disposition": 'attachment; filename="patrimonios.csv"', "Cache-Control": "no-store"}
        return StreamingResponse(
            _lines(request, self.asked), media_type="text/csv; charset=utf-8", headers={**self.headers, **own}
        )


async def _lines(request: Request, asked: ListaDePatrimonios) -> AsyncIterator[bytes]:
    yield "\ufeff".encode() + _csv([_HEADINGS])
    after: Key | None = None
    while True:
        # A connection for each lot, given back before the lot is sent: however slowly somebody reads, nobody waits for a
        # connection because of it. The session is looked at each time, so that one that was ended gets no more.
        async with open_context(request) as ctx:
            lot, after = await actions.lote_exportado(ctx, asked, after)
        if lot:
            yield _csv([_line(bem) for bem in lot])
        if after is None:
            return


def _line(bem: dict[str, Any]) -> tuple[str, ...]:
    return (*(_harmless(spec.plain(bem[spec.member])) for spec in _COLUMNS), _harmless(bem["agente"]["matricula"]))


def _harmless(text: str) -> str:
    """A leading character that starts a formula is quoted (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _csv(lines: list[tuple[str, ...]]) -> bytes:
    output = io.StringIO()
    csv.writer(output, delimiter=";", lineterminator="\r\n").writerows(lines)
    return output.getvalue().encode()
