"""Lines as CSV, as every CSV of the service has them: semicolons, decimal comma.

Promises: a value that a spreadsheet would run as a formula is defused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from sispat.kernel.fields import Cell, text_of_cell

__all__ = ["BOM", "csv_lines"]

BOM = "\ufeff".encode()
"""What begins a file, so that a spreadsheet reads it as UTF-8."""

_NEGATIVE = re.compile(r"-\d+(,\d+)?", re.ASCII)


def _harmless(cell: Cell) -> str:
    """A leading character that starts a formula is quoted (OWASP, CSV injection); a negative number starts none."""
    text = text_of_cell(cell)
    if _NEGATIVE.fullmatch(text):
        return text
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def csv_lines(lines: Iterable[Sequence[Cell]]) -> bytes:
    """Lines as bytes."""
    output = io.StringIO()
    writer = csv.writer(output, delimiter=";", lineterminator="\r\n")
    writer.writerows(map(_harmless, line) for line in lines)
    return output.getvalue().encode()
