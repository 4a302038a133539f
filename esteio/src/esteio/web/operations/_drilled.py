"""The page's part on the newest drill: the year it predicts beside the lived one, what each fault cost, and its whole report.

Promises: a fault of which a run proves nothing is never shown as well, and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esteio.web.operations._prediction import LARGEST, DrilledFault, Prediction
from esteio.web.operations._tables import table
from esteio.web.operations._words import Words

__all__ = ["drill_routes", "fault_table", "prediction_table"]

_HEADERS = {
    # Its style is in the file, because it is whole without any other.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

Allow = Callable[[Request], Awaitable[Response | None]]


def drill_routes(drill: Path | None, *, path: str, allow: Allow | None) -> list[Route]:
    """`{path}/drill`: the `drill.html` beside `drill`, 404 while there is none."""
    if drill is None:
        return []
    file = drill.with_suffix(".html")

    async def show(request: Request) -> Response:
        if (refusal := await allow(request) if allow is not None else None) is not None:
            return refusal
        try:
            content = await asyncio.to_thread(_read, file)
        except OSError:
            return PlainTextResponse("There is no report of a drill here.", 404, headers=_HEADERS)
        return Response(content, media_type="text/html; charset=utf-8", headers=_HEADERS)

    return [Route(f"{path}/drill", show, methods=["GET"])]


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LARGEST)


def prediction_table(found: Prediction, words: Words, zone: ZoneInfo) -> str:
    """Both, with their ranges."""
    rows = [
        [
            escape(words[f"predicted_{name}"]), words.number(median, 1, "min"),
            f"{words.number(low, 1)} – {words.number(high, 1, 'min')}",
        ]
        for name, (median, low, high) in found.totals.items()
    ]  # fmt: skip
    lived = words["lived"].format(observed=words.span(60 * found.observed))
    rows.append([escape(lived), words.number(found.lived, 1, "min"), ""])
    said = escape(words["drilled"].format(moment=words.at(found.at, zone)))
    heads = [words["away"], words["middle"], words["interval"]]
    return f"<p>{said}</p>{table(words['year'], heads, rows, words['none'])}"


def fault_table(found: Prediction, words: Words, report: str) -> str:
    """What each fault cost; `report` is where the whole report is."""
    rows = [
        [f"{escape(each.title)}<small><code>{escape(each.name)}</code></small>", *_cells(each, words)]
        for each in found.faults
    ]
    heads = [words[key] for key in ("fault", "runs_proven", "requests_lost", "gap", "recovered", "detected")]
    tried = [each for each in found.faults if each.runs]
    said = words["faults_proven"].format(proven=sum(each.proven for each in tried), tried=len(tried))
    link = f'<p><a href="{escape(report)}">{escape(words["drill_report"])}</a></p>' if found.report else ""
    return f"<p>{escape(said)}</p>{table(words['faults'], heads, rows, words['none'])}{link}"


def _cells(fault: DrilledFault, words: Words) -> Sequence[str]:
    if not fault.runs:
        return [
            f'<span class="dot"></span>{escape(words["not_drilled"])}<small>{escape(fault.why)}</small>',
            *4 * ["–"],
        ]
    said = escape(words["runs_valid"].format(valid=fault.valid, runs=fault.runs))
    if not fault.valid:
        return [_bad(said, fault.why), *4 * ["–"]]
    proven = (
        f'<span class="dot {"pass" if fault.well else "fail"}"></span>{said}' if fault.proven else _bad(said, fault.why)
    )
    lost = f'<span class="problems">{fault.lost}</span>' if fault.planned and fault.lost else str(fault.lost)
    mttr = words["no_recovery"] if fault.mttr is None else words.number(fault.mttr, 2, "s")
    detected = [
        words[key].format(seconds=words.number(seconds, 1, "s"))
        for key, seconds in (("by_page", fault.page), ("by_alert", fault.alert))
        if seconds is not None
    ]
    gap = "–" if fault.gap is None else words.number(fault.gap, 2, "s")
    return [proven, lost, gap, escape(mttr), escape(", ".join(detected) or "–")]


def _bad(said: str, why: str) -> str:
    return f'<span class="problems"><span class="dot fail"></span>{said}</span><small>{escape(why)}</small>'
