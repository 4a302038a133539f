"""Reports on paper: drawn in parts of five hundred lines, by one or several processes side by side, and put together.

Promises: however long a report is, no more than a part of it is in the memory of a process that draws, and only the finished
parts, and the lines of those under way, in that of who asks; a group has its heading and its sums; each page says which of how
many it is. A report of one part is PDF/A-2a, with the structure that screen readers need; of several, PDF/A-2b.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sispat.kernel import formats
from sispat.kernel.fields import FieldSpec
from sispat.kernel.i18n import _, ngettext
from sispat.kernel.pdf import Arms, PdfRenderer, joined, letterhead, numbers, pages_of
from sispat.relatorios.actions import Prepared, Row
from sispat.relatorios.report import as_read

__all__ = ["PART", "Drawn", "Paper"]

PART = 500
"""Lines that are drawn at once: more would take more memory, fewer more time."""
_TEMPLATE = "relatorios/relatorio.typ"
_WIDTHS = {"plate": 1.4, "date": 1.7, "month": 1.5, "money": 2.2, "integer": 1.6, "radio": 1.8}  # cm, by kind
_SUM = "Σ"  # marks a line of sums for the template

Line = list[str]


class Drawn(NamedTuple):
    """The parts of a report; of several, `numbers` is what is laid over their pages."""

    parts: Sequence[bytes]
    numbers: bytes = b""

    def whole(self) -> bytes:
        """The PDF. Blocks; apart from the drawing, so that the memory of who draws goes back before."""
        return joined(self.parts, self.numbers) if self.numbers else self.parts[0]


class Paper:
    """One report on paper, drawn by `renderers`, a part by each in turn; `at` is when it is made, `zone` on whose clocks."""

    def __init__(
        self, renderers: Sequence[PdfRenderer], what: Prepared, city: str, arms: Arms | None, at: dt.datetime, zone: str
    ) -> None:
        self._renderers, self._what, self._city, self._at = renderers, what, city, at
        self._columns = what.report.shown
        self._by_group = "grupo" in what.report.columns and "grupo" not in {each.name for each in self._columns}
        self._said: dict[str, Any] = {
            "titulo": str(what.report.title), "cidade": letterhead(city, arms),
            "pergunta": str(what.report.question), "fatos": [list(map(str, fact)) for fact in what.facts],
            "data": formats.moment(at, zone), "cabecalho": [str(each.ui.label) for each in self._columns],
            "larguras": [_width(each) for each in self._columns], "vazio": str(what.report.empty),
            "lados": ["direita" if each.kind in ("money", "integer") else "esquerda" for each in self._columns],
        }  # fmt: skip
        self._lines: list[Line] = []
        self._parts: list[asyncio.Task[tuple[bytes, int]]] = []
        self._count = 0
        self._group: str | None = None
        self._of_group: dict[str, Decimal] = {}
        self._of_all: dict[str, Decimal] = {}

    async def draw(self, lots: AsyncIterator[list[Row]]) -> Drawn:
        """All these lines; the next ones are read while parts are drawn."""
        try:
            await self._collect(lots)
            drawn = await asyncio.gather(*self._parts)
        finally:
            for part in self._parts:  # something else failed meanwhile
                part.cancel()
            await asyncio.gather(*self._parts, return_exceptions=True)
        parts = [pdf for pdf, _pages in drawn]
        if len(parts) == 1:
            return Drawn(parts)
        for idle in self._renderers[1:]:
            await idle.close()  # the numbers of 3,000 pages need as much memory as some parts
        pages = sum(pages for _pdf, pages in drawn)
        title = self._said["titulo"]
        over = numbers(self._renderers[0], pages, self._at, title=title, author=self._city, landscape=True)
        return Drawn(parts, await over)

    async def _collect(self, lots: AsyncIterator[list[Row]]) -> None:
        async for rows in lots:
            for row in rows:
                if len(self._lines) >= PART:
                    await self._begin("outra" if self._parts else "primeira")
                self._add(row)
        self._end_group()
        if self._of_all and self._count > 1:
            self._lines.append(self._sums(_("Total"), self._of_all))
        ending = ngettext("%(num)s linha", "%(num)s linhas", self._count, num=formats.decimal(self._count))
        await self._begin("outra" if self._parts else None, ending)

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

    async def _begin(self, part: str | None, ending: str = "") -> None:
        """Begin to draw the lines that have come together; `ending` is said after the last of them."""
        turn = len(self._parts)
        if turn >= len(self._renderers):  # no more under way than can be drawn: whoever reads is faster
            await self._parts[turn - len(self._renderers)]
        said = {**self._said, "linhas": self._lines, "quantos": ending, "parte": part}
        self._parts.append(asyncio.create_task(self._draw(self._renderers[turn % len(self._renderers)], said)))
        self._lines = []

    async def _draw(self, renderer: PdfRenderer, said: Mapping[str, Any]) -> tuple[bytes, int]:
        """A part, and how many pages it has."""
        if said["parte"] is None:
            return await renderer.render(_TEMPLATE, said, self._at), 0
        pdf = await renderer.render(_TEMPLATE, said, self._at, part=True)
        return pdf, await asyncio.to_thread(pages_of, pdf)


def _width(spec: FieldSpec) -> tuple[float, str]:
    """In centimetres, or a share of what is left."""
    if spec.kind in _WIDTHS:
        return _WIDTHS[spec.kind], "cm"
    return 2.2 if spec.name in ("descricao", "nome", "grupo") else 1.0, "fr"
