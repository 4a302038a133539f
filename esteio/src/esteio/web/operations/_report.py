"""The monthly report as a page and as PDF, beside the operations page.

Promises: it is whole without scripts, and needs neither the database nor anything else it reports on. A PDF is made in a
process of its own, one at a time for each worker: who asks meanwhile waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import NamedTuple
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esteio.alert import ENGLISH, NoticeWords
from esteio.alert.monitor import Alerts
from esteio.alert.report import (
    REPORT_WORDS,
    Document,
    Month,
    MonthError,
    Part,
    PdfFailed,
    month_report,
    report_document,
    report_pdf,
)
from esteio.health import HistoryReader
from esteio.web.operations._tables import table
from esteio.web.operations._words import LANGUAGES, Words

__all__ = ["report_routes"]

_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_MONTHS = 12  # that are linked
_NOTICE = {
    "en": ENGLISH,
    "pt-BR": NoticeWords(decimal=",", days="{amount} dias", moment="%d/%m/%Y %H:%M"),
}
_logger = logging.getLogger("esteio.web")

Allow = Callable[[Request], Awaitable[Response | None]]
Texts = Callable[[str], Mapping[str, str]]


def report_routes(
    history: HistoryReader | None, alerts: Alerts | None, *, path: str, title: str, zone: ZoneInfo, allow: Allow | None,
    language: Callable[[Request], str], names: Texts, titles: Texts,
) -> list[Route]:  # fmt: skip
    """`{path}/report` and `{path}/report.pdf`, of the month that `?month=2026-11` asks for; else of the last one that is over.

    None where nothing is kept to report on. The parameters are those of `operations_routes`.
    """
    if history is None or alerts is None:
        return []
    report = _Report(history, alerts, path, title, zone, allow, language, names, titles)
    return [
        Route(f"{path}/report", report.page, methods=["GET"]),
        Route(f"{path}/report.pdf", report.pdf, methods=["GET"]),
    ]


class _Asked(NamedTuple):
    """A report as somebody asked for it, known up to `until`, Unix seconds."""

    month: Month
    document: Document
    until: float
    words: Words


@dataclass(frozen=True, slots=True)
class _Report:
    """The two routes."""

    history: HistoryReader
    alerts: Alerts
    path: str
    title: str
    zone: ZoneInfo
    allow: Allow | None
    language: Callable[[Request], str]
    names: Texts
    titles: Texts
    drawing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def page(self, request: Request) -> Response:
        """As HTML."""
        if isinstance(found := await self._asked(request), Response):
            return found
        html = _page(found, _months(time.time(), self.zone), self.path)
        return Response(html, media_type="text/html", headers={**_HEADERS, "Content-Language": found.words.tag})

    async def pdf(self, request: Request) -> Response:
        """As PDF."""
        if isinstance(found := await self._asked(request), Response):
            return found
        try:
            async with self.drawing:  # each takes a processor and some hundred MB for a moment
                drawn = await asyncio.to_thread(report_pdf, found.document, found.until)
        except PdfFailed as error:
            _logger.error("%s", error)
            return PlainTextResponse(found.words["no_pdf"], 503, headers=_HEADERS)
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{found.month.name}.pdf"'}
        return Response(drawn, media_type="application/pdf", headers=headers)

    async def _asked(self, request: Request) -> Response | _Asked:
        refusal = await self.allow(request) if self.allow is not None else None
        if refusal is not None:
            return refusal
        words, now = LANGUAGES[self.language(request)], time.time()
        try:
            given = request.query_params.get("month")
            month = Month.parse(given, self.zone, now) if given else Month.of(now, self.zone).before(self.zone)
        except MonthError:
            return PlainTextResponse(words["no_month"], 422, headers=_HEADERS)
        # The texts are asked for here: they may be in the language of this request.
        return await asyncio.to_thread(self._made, month, words, now, self.names(words.tag), self.titles(words.tag))

    def _made(
        self, month: Month, words: Words, now: float, names: Mapping[str, str], titles: Mapping[str, str]
    ) -> _Asked:
        report = month_report(month, self.history, self.alerts, now)
        notice = replace(_NOTICE[words.tag], timezone=str(self.zone))
        said = report_document(report, REPORT_WORDS[words.tag], notice, service=self.title, names=names, titles=titles)
        return _Asked(month, said, report.until, words)


def _months(now: float, zone: ZoneInfo) -> list[Month]:
    """The current one and those before it, the newest first."""
    found = [Month.of(now, zone)]
    while len(found) < _MONTHS:
        found.append(found[-1].before(zone))
    return found


def _page(asked: _Asked, months: list[Month], path: str) -> str:
    month, document, words = asked.month, asked.document, asked.words
    links = "".join(
        f'<a href="{escape(path)}/report?month={each.name}"{" aria-current=true" if each == month else ""}>{each.name}</a>'
        for each in months
    )
    parts = "".join(_part(part, words) for part in document.parts)
    return f"""<!doctype html>
<html lang="{words.tag}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark"><title>{escape(document.title)}</title>
<link rel="stylesheet" href="{escape(path)}/page.css"></head>
<body><a class="skip" href="#content">{escape(words["skip"])}</a>
<header><h1>{escape(document.title)}</h1></header>
<main id="content" tabindex="-1"><p class="age">{escape(document.made)}</p>
<nav class="windows" aria-label="{escape(words["report"])}">{links}</nav>
<p><a href="{escape(path)}/report.pdf?month={month.name}">PDF</a> · <a href="{escape(path)}">{escape(words["title"])}</a></p>
{parts}</main></body></html>
"""


def _part(part: Part, words: Words) -> str:
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in part.sentences)
    if part.table is not None:
        rows = [[escape(cell) for cell in row] for row in part.table.rows]
        said += table(part.heading, part.table.heads, rows, words["none"])
    return f"<section><h2>{escape(part.heading)}</h2>{said}</section>"
