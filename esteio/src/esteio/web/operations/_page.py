"""The page as HTML. Pure.

Promises: it is whole without scripts; nothing it shows is more than it knows: each part says how old it is, or that nobody
knows. The verdict is one sentence, and the first thing on the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from zoneinfo import ZoneInfo

from esteio.health import Report, Status
from esteio.health.series import SERVICE, Interval, Mark, Point, State, availability, shares
from esteio.web.operations._alerts import alert_section
from esteio.web.operations._charts import line_chart, strip
from esteio.web.operations._drilled import fault_table, prediction_table
from esteio.web.operations._facts import WINDOWS, Facts
from esteio.web.operations._tables import (
    Orders,
    circuit_table,
    host_table,
    limit_table,
    mark_table,
    mark_text,
    pool_table,
    route_table,
    statement_table,
    table,
    worker_table,
)
from esteio.web.operations._words import Words

__all__ = ["page", "verdict"]

_SILENT = 120.0  # seconds: whoever watches looks every five
_AGENT_SILENT = 300.0
_MOST_MARKS = 60


def verdict(facts: Facts, words: Words, names: Mapping[str, str]) -> tuple[str, str]:
    """How it is, in one sentence; and the kind of it: well, warn, fail, closed or unknown."""
    report = facts.report
    if facts.closed:
        return "closed", words["closed"]
    if report.status is Status.FAIL:
        return "fail", words["fail"].format(causes=_causes(report, report.causes, names))
    if report.status is Status.UNKNOWN:
        return "unknown", words["unknown"].format(causes=_causes(report, report.causes, names))
    ill = [name for name, result in report.results.items() if result.status is not Status.PASS]
    if ill:
        return "warn", words["warn"].format(causes=_causes(report, ill, names))
    if facts.kept and facts.watched_at is None:
        return "warn", f"{words['well']} {words['never']}"
    return "well", words["well"]


def _causes(report: Report, found: Sequence[str], names: Mapping[str, str]) -> str:
    shown = []
    for name in found:
        reason = report.results[name].reason
        shown.append(names.get(name, name) + (f" ({reason})" if reason else ""))
    return "; ".join(shown)


def page(
    facts: Facts, words: Words, *, path: str, title: str, names: Mapping[str, str], zone: ZoneInfo,
    orders: Orders | None = None, titles: Mapping[str, str] | None = None, report: str | None = None,
) -> str:  # fmt: skip
    """The whole document; `names` are what people call the checks, `titles` what alerts say, by their names.

    With `orders` circuits and alerts have buttons; `report` is the address of the monthly report.
    """
    kind, sentence = verdict(facts, words, names)
    heading = f"{title} · {words['title']}" if title else words["title"]
    parts = [
        *_alerts(facts, words, titles or {}, zone, orders, report),
        _section(words["services"], _windows(facts, words, path) + _services(facts, words, names, zone)),
        _section(
            words["requests"],
            _requests(facts, words, zone)
            + _headed(words["marks"], mark_table(facts, words, zone, facts.now - WINDOWS[facts.window]))
            + _headed(words["routes"], route_table(facts, words)),
        ),
        _section(words["backups"], _backups(facts, words, zone)),
        *_drilled(facts, words, f"{path}/drill"),
        _section(words["circuits"], circuit_table(facts, words, zone, orders)),
        _section(words["limits"], limit_table(facts, words)),
        _section(words["pool"], pool_table(facts, words) + _headed(words["statements"], statement_table(facts, words))),
        _section(words["host"], host_table(facts, words, names)),
        _section(words["workers"], worker_table(facts, words)),
    ]
    return f"""<!doctype html>
<html lang="{words.tag}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark"><title>{escape(heading)}</title>
<link rel="stylesheet" href="{path}/page.css"><script type="module" src="{path}/live.js"></script>
<noscript><meta http-equiv="refresh" content="30"></noscript></head>
<body data-stream="{path}/events"><a class="skip" href="#content">{escape(words["skip"])}</a>
<header><h1>{escape(heading)}</h1></header>
<main id="content" tabindex="-1">
<p class="verdict {kind}" role="status"><strong>{escape(sentence)}</strong></p>
<p class="age">{escape(_age(facts, words, zone))}</p>
{"".join(parts)}
</main></body></html>
"""


def _alerts(
    facts: Facts, words: Words, titles: Mapping[str, str], zone: ZoneInfo, orders: Orders | None, report: str | None
) -> list[str]:
    if facts.alerts is None:
        return []
    shown = alert_section(facts.alerts, words, titles, facts.marks, facts.now, zone, orders, report)
    if facts.prediction is not None:
        shown += _headed(words["year"], prediction_table(facts.prediction, words, zone))
    return [f'<section id="alerts"><h2>{escape(words["alerts"])}</h2>{shown}</section>']


def _drilled(facts: Facts, words: Words, report: str) -> list[str]:
    found = facts.prediction
    return [_section(words["faults"], fault_table(found, words, report))] if found is not None and found.faults else []


def _age(facts: Facts, words: Words, zone: ZoneInfo) -> str:
    """How old the oldest answer is that the verdict stands on, and whether anybody keeps the history."""
    oldest = min((result.time for result in facts.report.results.values()), default=facts.now)
    said = [words["seen"].format(age=words.span(facts.now - oldest))]
    if not facts.kept:
        said.append(words["off"])
    elif facts.watched_at is None:
        said.append(words["never"])
    elif facts.now - facts.watched_at > _SILENT:
        said.append(words["unwatched"].format(since=words.at(facts.watched_at, zone)))
    return " ".join(said)


def _section(heading: str, content: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>{content}</section>"


def _headed(heading: str, content: str) -> str:
    return f"<h3>{escape(heading)}</h3>{content}"


def _windows(facts: Facts, words: Words, path: str) -> str:
    links = "".join(
        f'<a href="{path}?window={window}"{" aria-current=true" if window == facts.window else ""}>{window}</a>'
        for window in WINDOWS
    )
    return f'<nav class="windows" aria-label="{escape(words["window"])}">{links}</nav>'


def _services(facts: Facts, words: Words, names: Mapping[str, str], zone: ZoneInfo) -> str:
    known = [SERVICE, *sorted({*facts.report.results, *facts.intervals} - {SERVICE})]
    rows = []
    for name in known:
        intervals = facts.intervals.get(name, ())
        shown = words["whole"] if name == SERVICE else names.get(name, name)
        rows.append(
            [
                escape(shown), _now(facts, words, name, intervals, zone), _strip(facts, words, shown, intervals),
                *(_percent(words, _cut(intervals, facts.now - seconds)) for seconds in WINDOWS.values()),
            ]
        )  # fmt: skip
    heads = [words["service"], words["state"], facts.window, *WINDOWS]
    return table(words["services"], heads, rows, words["none"])


def _now(facts: Facts, words: Words, name: str, intervals: Sequence[Interval], zone: ZoneInfo) -> str:
    status = facts.report.status if name == SERVICE else None
    result = facts.report.results.get(name)
    if result is not None:
        status = result.status
    last = intervals[-1] if intervals else None
    if status is None:  # a check of whoever watches the host, and not of this worker
        kind = last.state.value if last else "unknown"
        text = words.states[State(kind)]
    else:
        kind, text = status.value, words.statuses[status]
    reason = result.reason if result is not None else last.reason if last else ""
    since = words["since"].format(moment=words.at(last.since, zone)) if last else ""
    details = "; ".join(each for each in (reason, since) if each)
    return f'<span class="dot {kind}"></span>{escape(text)}{f"<small>{escape(details)}</small>" if details else ""}'


def _cut(intervals: Sequence[Interval], since: float) -> list[Interval]:
    return [Interval(i.state, max(i.since, since), i.until, i.reason) for i in intervals if i.until > since]


def _percent(words: Words, intervals: Sequence[Interval]) -> str:
    share = availability(intervals)
    return "–" if share is None else words.number(100 * share, 3 if share < 1 else 0, "%")


def _strip(facts: Facts, words: Words, name: str, intervals: Sequence[Interval]) -> str:
    since = facts.now - WINDOWS[facts.window]
    cut = _cut(intervals, since)
    seconds, outages = shares(cut), sum(interval.state is State.DOWN for interval in cut)
    label = words["strip"].format(
        name=name, window=facts.window, share=_percent(words, cut), outages=outages,
        down=words.span(seconds[State.DOWN]), unknown=words.span(seconds[State.UNKNOWN]),
    )  # fmt: skip
    return strip(cut, since, facts.now, label)


def _requests(facts: Facts, words: Words, zone: ZoneInfo) -> str:
    return "".join(
        _chart(facts, words, zone, words[title], series)
        for title, series in (
            ("rate", [("", "requests.rate")]),
            ("errors", [("", "requests.errors")]),
            ("latency", [("median", "requests.p50"), ("p95", "requests.p95"), ("p99", "requests.p99")]),
        )
    )


def _chart(facts: Facts, words: Words, zone: ZoneInfo, title: str, series: Sequence[tuple[str, str]]) -> str:
    lines: list[tuple[str, Sequence[Point]]] = [(key, facts.series.get(name, ())) for key, name in series]
    if not any(points for _, points in lines):
        return f"<figure><figcaption>{escape(title)}</figcaption><p>{escape(words['nothing'])}</p></figure>"
    since, digits = facts.now - WINDOWS[facts.window], 2
    told = "; ".join(
        words["chart"].format(
            title=words[key] if key else title, window=facts.window, last=words.number(points[-1].average, digits),
            most=words.number(max(point.greatest for point in points), digits),
        )
        for key, points in lines if points
    )  # fmt: skip
    legend = "".join(f'<span class="key{n}">{escape(words[key])}</span>' for n, (key, _) in enumerate(lines, 1) if key)
    ticks = (words.at(since, zone), words.at(facts.now, zone))
    marks = [
        (mark.at, mark.kind, f"{words.at(mark.at, zone)}: {mark_text(mark, words)}") for mark in _charted(facts, since)
    ]
    chart = line_chart(lines, since, facts.now, f"{title}: {told}", ticks, marks)
    return f"<figure><figcaption>{escape(title)} {legend}</figcaption>{chart}</figure>"


def _charted(facts: Facts, since: float) -> Sequence[Mark]:
    """Circuits that closed are in the table only: a line where something broke says enough."""
    return [
        mark for mark in facts.marks
        if mark.at >= since and (mark.kind != "circuit" or mark.detail in ("open", "forced open"))
    ][-_MOST_MARKS:]  # fmt: skip


def _backups(facts: Facts, words: Words, zone: ZoneInfo) -> str:
    found = facts.backups
    if found is None or facts.now - found["at"] > _AGENT_SILENT:
        return f"<p>{escape(words['no_backups'])}</p>"
    if not found.get("active", True):
        return f"<p>{escape(words['elsewhere'])}</p>"
    older = facts.now - found["at"]
    problems = [
        problem.get("texts", {}).get(words.tag, problem["text"])
        for key in ("found", "amiss") for problem in found.get(key, ()) if "text" in problem
    ]  # fmt: skip
    rows = [
        [escape(words["newest"]), escape(_aged(words, found.get("newest_age"), older)), escape(found.get("newest") or "")],
        [
            escape(words["proven"]), escape(_aged(words, found.get("verified_age"), older)),
            escape(found.get("verified") or ""),
        ],
        [escape(words["restore"]), escape(words.span(found.get("restore_seconds"))), ""],
    ]  # fmt: skip
    if found.get("reach_from") is not None and found.get("reach_to") is not None:
        begin, end = (words.at(found[key], zone) for key in ("reach_from", "reach_to"))
        rows.append([escape(words["window_reach"]), escape(words["reach"].format(begin=begin, end=end)), ""])
    if found.get("lag") is not None:
        rows.append([escape(words["behind"]), words.number(found["lag"] / 1e6, 1, "MB"), ""])
    rows += [
        [escape(words["waits"].format(name=store)), escape(words.span(seconds)), ""]
        for store, seconds in sorted(found.get("waits", {}).items())
    ]
    told = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return (f'<ul class="problems">{told}</ul>' if told else "") + table(
        words["backups"], [words[key] for key in ("what", "when", "which")], rows, words["none"]
    )


def _aged(words: Words, age: float | None, older: float) -> str:
    return "–" if age is None else words["ago"].format(age=words.span(age + older))
