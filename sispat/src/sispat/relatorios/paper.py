"""Reports on paper: drawn in parts of five hundred lines, each by the process that draws, and put together.

Promises: however long a report is, no more than a part of it is in the memory of the process that draws, and only the finished
parts in that of who asks; a group has its heading and its sums. A report of one part is PDF/A-2a, with the structure that
screen readers need; of several, the pages are those of PDF/A-2b, numbered without their total.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sispat.kernel import formats
from sispat.kernel.fields import FieldSpec
from sispat.kernel.i18n import _, ngettext
from sispat.kernel.pdf import Arms, PdfRenderer
from sispat.relatorios.actions import Prepared, Row
from sispat.relatorios.report import as_read

__all__ = ["PART", "TEMPLATE", "Paper", "joined"]

TEMPLATE = "relatorios/relatorio.typ"
PART = 500
"""Lines that are drawn at once: more would take more memory, fewer more time."""
_UNTAGGED = 10**6  # more rows than `PdfRenderer` writes the structure of
_WIDTHS = {"plate": 1.4, "date": 1.7, "month": 1.5, "money": 2.2, "integer": 1.6, "radio": 1.8}  # cm, by kind
_SUM = "Σ"  # marks a line of sums for the template

Line = list[str]


class Paper:
    """One report on paper, line after line; `at` is when it is made, `zone` on whose clocks that is said."""

    def __init__(
        self, renderer: PdfRenderer, what: Prepared, city: str, arms: Arms | None, at: dt.datetime, zone: str
    ) -> None:
        self._renderer, self._what, self._at = renderer, what, at
        self._columns = what.report.shown
        self._by_group = "grupo" in what.report.columns and "grupo" not in {each.name for each in self._columns}
        self._said: dict[str, Any] = {
            "titulo": str(what.report.title), "cidade": {"nome": city, "brasao": None if arms is None else arms.data},
            "pergunta": str(what.report.question), "fatos": [list(map(str, fact)) for fact in what.facts],
            "data": formats.moment(at, zone), "cabecalho": [str(each.ui.label) for each in self._columns],
            "larguras": [_width(each) for each in self._columns], "vazio": str(what.report.empty),
            "lados": ["direita" if each.kind in ("money", "integer") else "esquerda" for each in self._columns],
        }  # fmt: skip
        self._lines: list[Line] = []
        self._parts: list[bytes] = []
        self._drawing: asyncio.Future[bytes] | None = None
        self._only = False
        self._pages = 0
        self._count = 0
        self._group: str | None = None
        self._of_group: dict[str, Decimal] = {}
        self._of_all: dict[str, Decimal] = {}

    async def parts_of(self, lots: AsyncIterator[list[Row]]) -> list[bytes]:
        """The PDFs of all these lines, in parts; the next lines are read while a part is drawn."""
        try:
            await self._collect(lots)
        finally:
            if self._drawing is not None:  # something else failed meanwhile
                self._drawing.cancel()
                await asyncio.gather(self._drawing, return_exceptions=True)
        return self._parts

    async def _collect(self, lots: AsyncIterator[list[Row]]) -> None:
        async for rows in lots:
            for row in rows:
                if len(self._lines) >= PART:
                    await self._draw("")
                self._add(row)
        self._end_group()
        if self._of_all and self._count > 1:
            self._lines.append(self._sums(_("Total"), self._of_all))
        await self._draw(ngettext("%(num)s linha", "%(num)s linhas", self._count, num=formats.decimal(self._count)))
        await self._drawn()

    def _add(self, row: Row) -> None:
        if self._by_group and row["grupo"] != self._group:
            self._end_group()
            self._group = row["grupo"]
            if self._group:
                self._lines.append([self._group])
        self._lines.append([as_read(spec, row[spec.name]) for spec in self._columns])
        self._count += 1
        for name in self._what.report.summed:
            if (value := row[name]) is not None:
                self._of_all[name] = self._of_all.get(name, Decimal(0)) + value
                if self._group:
                    self._of_group[name] = self._of_group.get(name, Decimal(0)) + value

    def _end_group(self) -> None:
        if self._of_group:
            self._lines.append(self._sums(_("Soma"), self._of_group))
        self._of_group = {}

    def _sums(self, label: str, sums: Mapping[str, Decimal]) -> Line:
        cells = [as_read(each, sums[each.name]) if each.name in sums else "" for each in self._columns]
        place = next((n for n, each in enumerate(self._columns) if each.kind == "text"), 0)
        if not cells[place]:
            cells[place] = label
        return [_SUM, *cells]

    async def _draw(self, ending: str) -> None:
        """Begin to draw the lines that have come together; `ending` is said after the last of them."""
        await self._drawn()  # its pages are counted first
        alone = self._only = bool(ending) and not self._parts
        said = {
            **self._said, "linhas": self._lines, "quantos": ending, "primeira": self._pages + 1, "inteiro": alone,
            "etiquetado": alone,
        }  # fmt: skip
        # Untagged where there are several parts: the structures of two documents are not one.
        rows = PART if alone else _UNTAGGED
        self._drawing = asyncio.ensure_future(self._renderer.render(TEMPLATE, said, self._at, rows=rows))
        self._lines = []

    async def _drawn(self) -> None:
        """Wait for the part that is being drawn."""
        if self._drawing is None:
            return
        self._parts.append(await self._drawing)
        self._drawing = None
        if not self._only:
            self._pages += await asyncio.to_thread(_pages_of, self._parts[-1])


def _width(spec: FieldSpec) -> tuple[float, str]:
    """In centimetres, or a share of what is left."""
    if spec.kind in _WIDTHS:
        return _WIDTHS[spec.kind], "cm"
    return 2.2 if spec.name in ("descricao", "nome", "grupo") else 1.0, "fr"


def _pages_of(pdf: bytes) -> int:
    import pikepdf

    with pikepdf.open(io.BytesIO(pdf)) as document:
        return len(document.pages)


def joined(parts: Sequence[bytes]) -> bytes:
    """The pages of all parts, in the first one's document."""
    if len(parts) == 1:
        return parts[0]
    import pikepdf  # late: only long reports have parts

    whole, others = pikepdf.open(io.BytesIO(parts[0])), []
    for part in parts[1:]:
        others.append(pikepdf.open(io.BytesIO(part)))  # what a page refers to is read when the whole is written
        whole.pages.extend(others[-1].pages)
    written = io.BytesIO()
    whole.save(written, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return written.getvalue()
