"""Records as XLSX: the same lines as the CSV, with amounts and dates as such.

Promises: memory stays bounded whatever the size, and no connection is held while a lot is written; no text is ever a formula
or a link. The file is made before the first byte is sent, because its directory comes last: what goes wrong meanwhile is an
error with its status, and there are at most `MOST` lines. It is a temporary file without a name, gone with the answer.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sispat.http.csv_export import CsvExport
from sispat.http.session import open_context
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Cell
from sispat.kernel.files import NoRoom
from sispat.kernel.formats import decimal
from sispat.kernel.i18n import _

__all__ = ["MOST", "XlsxExport"]

MOST = 100_000
"""Lines: some ten seconds of making, during which the client hears nothing; what is more goes by CSV, as a stream."""
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CHUNK = 1 << 18
_OPTIONS = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
    "remove_timezone": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class XlsxExport:
    """What `export` gives, as a workbook."""

    export: CsvExport

    async def response(self, request: Request) -> Response:
        """The answer; raises `InvalidData` where there are too many lines, and `NoRoom`."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the answer is sent, or here
        try:
            await self._fill(request, file)
        except BaseException:
            file.close()
            raise
        name = f'attachment; filename="{self.export.name}.xlsx"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-store", "Content-Length": str(file.tell())}
        return StreamingResponse(_sent(file), media_type=_TYPE, headers=headers)

    async def _fill(self, request: Request, file: IO[bytes]) -> None:
        book = await asyncio.to_thread(_Book, file, self.export.heading)
        after: Any = None
        try:
            while True:
                async with open_context(request) as ctx:  # one for each lot, as for the CSV
                    lines, after = await self.export.lot(ctx, after)
                await asyncio.to_thread(book.write, lines)
                if after is None:
                    break
        finally:
            try:
                await asyncio.to_thread(book.close)  # also removes its temporary files
            except OSError as error:
                raise NoRoom from error


class _Book:
    """A workbook of one sheet, written line by line."""

    def __init__(self, file: IO[bytes], heading: Sequence[Cell]) -> None:
        import xlsxwriter  # late: most processes never make one

        self._book = xlsxwriter.Workbook(file, _OPTIONS)
        self._date = self._book.add_format({"num_format": "dd/mm/yyyy"})
        self._money = self._book.add_format({"num_format": "#,##0.00"})
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._line = 0
        self.write([heading])

    def write(self, lines: Sequence[Sequence[Cell]]) -> None:
        """The next lines; raises `InvalidData` for one too many."""
        if self._line + len(lines) > MOST + 1:
            text = _("O XLSX leva até %(most)s linhas. Exporte em CSV, ou filtre a lista.", most=decimal(MOST))
            raise InvalidData({"formato": text})
        for line in lines:
            for column, cell in enumerate(line):
                self._write(self._line, column, cell)
            self._line += 1

    def _write(self, line: int, column: int, cell: Cell) -> None:
        if isinstance(cell, Decimal):
            self._sheet.write_number(line, column, float(cell), self._money)
        elif isinstance(cell, dt.date):
            self._sheet.write_datetime(line, column, cell, self._date)
        elif cell:
            self._sheet.write_string(line, column, cell)

    def close(self) -> None:
        """Write it out."""
        self._book.close()


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
