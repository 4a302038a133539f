"""`drill.html`: one file that needs nothing else, made from what `drill.json` holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from esteio.drill._compare import Moved

__all__ = ["page"]

_WIDTH, _HEIGHT = 640, 96
_NUMBERS = frozenset((
    "median", "90 % interval", "P(99.9 %)", "P(99.99 %)", "valid runs", "offered", "lost", "unknown", "longest gap", "MTTR",
    "page", "alert", "minutes a year", "share",
))  # fmt: skip
"""Heads of columns that are aligned at the right."""
_HEAD = 20  # pixels above the bars, for the names of moments
_STYLE = files("esteio.drill").joinpath("_page.css").read_text("utf-8")

Gettext = Callable[[str], str]


def page(
    report: Mapping[str, Any],
    moved: Sequence[Moved] = (),
    *,
    gettext: Gettext = lambda text: text,
    language: str = "en",
) -> str:
    """The whole file; `report` is `Report.as_json()`, `moved` of what `compare` found, `gettext` translates its words."""
    _ = gettext
    faults = report["faults"]
    body = [
        f"<h1>{escape(_('Drill'))}</h1>",
        f"<p class=soft>{escape(report['at'])} · {report['requests_per_s']:g} {escape(_('requests/s'))} · "
        f"{escape(', '.join(f'{key}: {value}' for key, value in report['machine'].items()))}</p>",
        _summary(report, _),
        _year(report["prediction"], _),
        f"<h2>{escape(_('Faults'))}</h2>",
        _table(faults, _),
        _moved(moved, _),
        f"<h2>{escape(_('Requests around each fault'))}</h2>",
        _legend(_),
        f"<div class=charts>{''.join(_chart(fault, _) for fault in faults if fault['runs'])}</div>",
        _shares(report["prediction"], _),
    ]
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(_('Drill'))} {escape(report['at'])}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _summary(report: Mapping[str, Any], _: Gettext) -> str:
    """How many faults are proven, what planned operations lost, and how long the drill took."""
    tried = [fault for fault in report["faults"] if fault["runs"]]
    lost = sum(fault["lost"] for fault in tried if fault["planned"])
    told = (
        (_("faults proven, every run valid"), f"{sum(fault['valid'] for fault in tried)} / {len(tried)}"),
        (_("requests lost by planned operations"), str(lost)),
        (_("minutes that the drill took"), f"{sum(report['steps_s'].values()) / 60:.1f}"),
    )
    return f"<dl>{''.join(f'<div><dt>{escape(name)}</dt><dd>{value}</dd></div>' for name, value in told)}</dl>"


def _year(prediction: Mapping[str, Any], _: Gettext) -> str:
    rows = "".join(
        f"<tr><td>{escape(_(name))}</td><td class=n>{_minutes(total['median'])}</td>"
        f"<td class=n>{_minutes(total['low'])} – {_minutes(total['high'])}</td>"
        f"<td class=n>{total['p_99_9']:.1%}</td><td class=n>{total['p_99_99']:.1%}</td></tr>"
        for name, total in (
            ("Software alone", prediction["software"]),
            ("With changes: releases, reboots, mistakes", prediction["with_changes"]),
            ("With the site: machine, power", prediction["with_site"]),
        )
    )
    heads = ("Predicted minutes away in a year", "median", "90 % interval", "P(99.9 %)", "P(99.99 %)")
    return f"<h2>{escape(_('The year'))}</h2>{_wide(_('The year'), heads, rows, _)}{_left_out(prediction, _)}"


def _left_out(prediction: Mapping[str, Any], _: Gettext) -> str:
    """Which faults are in none of the totals, and why."""
    told = (
        (_("Not in these figures, because nothing says how long they last"), prediction["left_out"]),
        (_("Not in these figures, because no rate says how often they come"), prediction["unrated"]),
    )
    return "".join(f"<p>{escape(why)}: {escape(', '.join(names))}.</p>" for why, names in told if names)


def _table(faults: Sequence[Mapping[str, Any]], _: Gettext) -> str:
    heads = ("Fault", "valid runs", "offered", "lost", "unknown", "longest gap", "MTTR", "page", "alert")
    return _wide(_("Faults"), heads, "".join(_row(fault, _) for fault in faults), _)


def _row(fault: Mapping[str, Any], _: Gettext) -> str:
    """Figures are medians of the valid runs; where one was not, it is said beside them."""
    name = escape(fault["name"])
    title = f'<a href="#{name}">{escape(fault["title"])}</a>' if fault["runs"] else escape(fault["title"])
    title = f"<td>{title}<br><code class=soft>{name}</code>"
    if not fault["runs"]:
        return f"<tr>{title}</td><td colspan=8 class=soft>{escape(fault['why'])}</td></tr>"
    runs = f"{fault['n']} / {len(fault['runs'])}"
    why = f"<br><span class=bad>{escape(_('invalid'))}: {escape(fault['why'])}</span>" if not fault["valid"] else ""
    if not fault["n"]:
        return f"<tr>{title}</td><td class=n>{runs}</td><td colspan=7>{why.removeprefix('<br>')}</td></tr>"
    bad = " bad" if fault["planned"] and fault["lost"] else ""
    mttr = _seconds(fault["mttr_s"]) if fault["recovered"] else f"<b class=bad>{escape(_('not recovered'))}</b>"
    return (
        f"<tr>{title}{why}</td><td class=n>{runs}</td><td class=n>{fault['offered']}</td>"
        f'<td class="n{bad}">{fault["lost"]}</td>'
        f"<td class=n>{fault['unknown']}</td><td class=n>{_seconds(fault['longest_gap_s'])}</td><td class=n>{mttr}</td>"
        f"<td class=n>{_seconds(fault['detected_s']['page'])}</td>"
        f"<td class=n>{_seconds(fault['detected_s']['alert'])}</td></tr>"
    )


def _moved(moved: Sequence[Moved], _: Gettext) -> str:
    if not moved:
        return ""
    told = "; ".join(f"{each.fault}: {_change(each, _)}" for each in moved)
    return f"<p>{escape(_('Moved by more than a fifth since the drill before'))}: {escape(told)}</p>"


def _change(moved: Moved, _: Gettext) -> str:
    if moved.what == "lost":
        return f"{_('lost in a run')} {moved.before:g} → {moved.now:g}"
    before, now = (_("not recovered") if math.isinf(each) else _seconds(each) for each in (moved.before, moved.now))
    return f"MTTR {before} → {now}"


def _legend(_: Gettext) -> str:
    shown = (("g", "good"), ("l", "late"), ("e", "lost or wrong"))
    keys = "".join(
        f'<span><svg viewBox="0 0 10 10" class=key aria-hidden=true><rect class={css} width=10 height=10 /></svg>'
        f"{escape(_(word))}</span>"
        for css, word in shown
    )
    told = _("Each bar is the requests that were due in a second, of the valid run that lost most; 0 is the fault.")
    return f"<p class=soft>{escape(told)}</p><p class=legend>{keys}</p>"


def _chart(fault: Mapping[str, Any], _: Gettext) -> str:
    """Bars of each second of the valid run that lost most: good below, late and lost above; when it was noticed and over."""
    number, run = max(enumerate(fault["runs"], 1), key=lambda each: (each[1]["valid"], each[1]["lost"], -each[0]))
    seconds = {int(second): counts for second, counts in run["seconds"].items()}
    evidence = " · ".join(
        [*(f"{count} x {error}" for error, count in run["errors"].items()), *([run["said"]] if run["said"] else [])]
    )
    said = f"{_('run')} {number} / {len(fault['runs'])}: {_('lost')} {run['lost']} / {run['offered']}"
    bad = (
        f"<br><span class=bad>{escape(_('invalid'))}: {escape(', '.join(run['invalid']))}</span>"
        if run["invalid"]
        else ""
    )
    label = f"{fault['title']}: {said}"
    return (
        f'<figure id="{escape(fault["name"])}"><figcaption><b>{escape(fault["title"])}</b><br>{escape(said)}{bad}</figcaption>'
        f"{_bars(seconds, run, label, _)}"
        f"{f'<p class=soft>{escape(evidence)}</p>' if evidence else ''}</figure>"
    )


def _bars(seconds: Mapping[int, Mapping[str, int]], run: Mapping[str, Any], label: str, _: Gettext) -> str:
    if not seconds:
        return ""
    first, last = min(seconds), max(seconds) + 1
    most = max(sum(counts.values()) for counts in seconds.values())
    step = _WIDTH / (last - first)
    bars = []
    for second, counts in seconds.items():
        base = float(_HEAD + _HEIGHT)
        for outcomes, css in ((("good",), "g"), (("late",), "l"), (("error", "wrong"), "e")):
            height = _HEIGHT * sum(counts.get(each, 0) for each in outcomes) / most
            if height:
                base -= height
                x = (second - first) * step
                bars.append(
                    f'<rect class={css} x="{x:.1f}" y="{base:.1f}" width="{step * 0.9:.1f}" height="{height:.1f}"/>'
                )
    back = run["mttr_s"] or None  # at once: it was never away
    moments = ((0.0, "fault"), (run["page_after_s"], "page"), (run["alert_after_s"], "alert"), (back, "back"))
    told = sorted(((at, name) for at, name in moments if at is not None and first <= at <= last), key=_when)
    ticks = (
        f'<text x="{(at - first) * step:.1f}" y="{_HEAD + _HEIGHT + 16}">{at}</text>' for at in _round(first, last)
    )
    return (
        f'<div class=wide role=region tabindex=0 aria-label="{escape(label)}">'
        f'<svg viewBox="0 0 {_WIDTH} {_HEAD + _HEIGHT + 22}" role="img" aria-label="{escape(label)}">'
        f"{''.join(bars)}{_moments(told, first, step, _)}{''.join(ticks)}"
        f'<text x="{_WIDTH}" y="{_HEAD + _HEIGHT + 16}" text-anchor="end">s</text></svg></div>'
    )


def _when(moment: tuple[float, str]) -> float:
    return moment[0]


def _moments(moments: Sequence[tuple[float, str]], first: int, step: float, _: Gettext) -> str:
    """A line for each, with its name; names of one place stand beside each other."""
    shown, free = [], 0.0
    for at, name in moments:
        x, word = (at - first) * step, _(name)
        left = max(min(x + 3, _WIDTH - 8.0 * len(word)), free)
        free = left + 8.0 * len(word)
        shown.append(
            f'<line class=a x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{_HEAD + _HEIGHT}"/>'
            f'<text x="{left:.1f}" y="13">{escape(word)}</text>'
        )
    return "".join(shown)


def _round(first: int, last: int) -> Sequence[int]:
    """Some whole seconds in between, 0 among them."""
    step = next(each for each in (5, 10, 20, 30, 60, 120, 300, 10**6) if (last - first) / each <= 10)
    return [each for each in range(first // step * step, last, step) if each >= first]


def _shares(prediction: Mapping[str, Any], _: Gettext) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(share['name'])}</code></td><td class=n>{_minutes(share['minutes'])}</td>"
        f"<td class=n>{share['share']:.1%}</td>"
        f"<td>{escape(_('measured here') if share['measured'] else _('assumed'))}</td>"
        f"<td class=soft>{escape(share['source'])}</td></tr>"
        for share in prediction["shares"]
    )
    heads = ("Fault", "minutes a year", "share", "how long it lasts", "how often: source")
    return f"<h2>{escape(_('What the year is made of'))}</h2>{_wide(_('What the year is made of'), heads, rows, _)}"


def _wide(label: str, heads: Sequence[str], rows: str, _: Gettext) -> str:
    """A table that is scrolled by itself where the screen is narrow, also with the keyboard."""
    shown = "".join(f"<th scope=col{' class=n' if name in _NUMBERS else ''}>{escape(_(name))}</th>" for name in heads)
    return (
        f'<div class=wide role=region tabindex=0 aria-label="{escape(label)}"><table><thead><tr>{shown}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _minutes(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"
