"""`drill.html`: one file that needs nothing else, made from what `drill.json` holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

__all__ = ["page"]

_WIDTH, _HEIGHT = 640, 90
_STYLE = files("esteio.drill").joinpath("_page.css").read_text("utf-8")

Gettext = Callable[[str], str]


def page(
    report: Mapping[str, Any],
    moved: Sequence[tuple[str, float | None, float | None]] = (),
    *,
    gettext: Gettext = lambda text: text,
    language: str = "en",
) -> str:
    """The whole file; `report` is `Report.as_json()`, `moved` what `compare` found, `gettext` translates its words."""
    _ = gettext
    body = [
        f"<h1>{escape(_('Drill'))}</h1>",
        f"<p class=soft>{escape(report['at'])} · {report['requests_per_s']:g} {escape(_('requests/s'))} · "
        f"{escape(', '.join(f'{key}: {value}' for key, value in report['machine'].items()))}</p>",
        _year(report["prediction"], _),
        f"<h2>{escape(_('Faults'))}</h2>",
        _table(report["faults"], _),
        _moved(moved, _),
        f"<h2>{escape(_('Requests around each fault'))}</h2>",
        *(_chart(fault, _) for fault in report["faults"] if fault["runs"]),
        _shares(report["prediction"], _),
    ]
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(_('Drill'))} {escape(report['at'])}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


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
    return f"<h2>{escape(_('The year'))}</h2><table>{_heads(heads, _)}{rows}</table>{_left_out(prediction, _)}"


def _left_out(prediction: Mapping[str, Any], _: Gettext) -> str:
    if not prediction["left_out"]:
        return ""
    told = _("Not in these figures, because nothing says how long they last")
    return f"<p>{escape(told)}: {escape(', '.join(prediction['left_out']))}.</p>"


def _table(faults: Sequence[Mapping[str, Any]], _: Gettext) -> str:
    heads = ("Fault", "valid", "offered", "lost", "unknown", "longest gap", "MTTR", "page", "alert")
    return f"<table>{_heads(heads, _)}{''.join(_row(fault, _) for fault in faults)}</table>"


def _row(fault: Mapping[str, Any], _: Gettext) -> str:
    title = f"<td>{escape(fault['title'])}<br><code class=soft>{escape(fault['name'])}</code></td>"
    if not fault["runs"]:
        return f"<tr>{title}<td colspan=8 class=soft>{escape(fault['why'])}</td></tr>"
    if not fault["valid"]:
        return f"<tr>{title}<td colspan=8 class=bad>{escape(_('invalid'))}: {escape(fault['why'])}</td></tr>"
    bad = " bad" if fault["planned"] and fault["lost"] else ""
    mttr = _seconds(fault["mttr_s"]) if fault["recovered"] else escape(_("not recovered"))
    return (
        f"<tr>{title}<td>{escape(_('yes'))}</td><td class=n>{fault['offered']}</td><td class='n{bad}'>{fault['lost']}</td>"
        f"<td class=n>{fault['unknown']}</td><td class=n>{_seconds(fault['longest_gap_s'])}</td><td class=n>{mttr}</td>"
        f"<td class=n>{_seconds(fault['detected_s']['page'])}</td>"
        f"<td class=n>{_seconds(fault['detected_s']['alert'])}</td></tr>"
    )


def _moved(moved: Sequence[tuple[str, float | None, float | None]], _: Gettext) -> str:
    if not moved:
        return ""
    told = "; ".join(f"{name}: {_seconds(before)} → {_seconds(now)}" for name, before, now in moved)
    return f"<p>{escape(_('Moved since the drill before (MTTR)'))}: {escape(told)}</p>"


def _chart(fault: Mapping[str, Any], _: Gettext) -> str:
    """Bars of each second: good below, lost and late above. The first run."""
    run = fault["runs"][0]
    seconds = {int(second): counts for second, counts in run["seconds"].items()}
    if not seconds:
        return ""
    first, last = min(seconds), max(seconds)
    most = max(sum(counts.values()) for counts in seconds.values())
    step = _WIDTH / (last - first + 1)
    bars = []
    for second, counts in seconds.items():
        base = float(_HEIGHT)
        for outcomes, css in ((("good",), "g"), (("late",), "l"), (("error", "wrong"), "e")):
            height = _HEIGHT * sum(counts.get(each, 0) for each in outcomes) / most
            if height:
                base -= height
                x = (second - first) * step
                bars.append(
                    f'<rect class={css} x="{x:.1f}" y="{base:.1f}" width="{step * 0.9:.1f}" height="{height:.1f}"/>'
                )
    zero = (0 - first) * step
    axis = f'<line class=a x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{_HEIGHT}"/>'
    below = _HEIGHT + 14
    names = f'<text x="0" y="{below}">{first} s</text><text x="{_WIDTH}" y="{below}" text-anchor="end">{last} s</text>'
    evidence = " · ".join(
        [*(f"{count} x {error}" for error, count in run["errors"].items()), *([run["said"]] if run["said"] else [])]
    )
    label = f"{fault['title']}: {run['lost']} / {run['offered']}"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT + 18}" role="img" aria-label="{escape(label)}">'
        f"{''.join(bars)}{axis}{names}</svg>"
        f"<figcaption><b>{escape(fault['title'])}</b> – {escape(_('lost'))} {run['lost']} / {run['offered']}"
        f"{'<br><span class=soft>' + escape(evidence) + '</span>' if evidence else ''}</figcaption></figure>"
    )


def _shares(prediction: Mapping[str, Any], _: Gettext) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(share['name'])}</code></td><td class=n>{_minutes(share['minutes'])}</td>"
        f"<td class=n>{share['share']:.1%}</td>"
        f"<td>{escape(_('measured here') if share['measured'] else _('assumed'))}</td>"
        f"<td class=soft>{escape(share['source'])}</td></tr>"
        for share in prediction["shares"]
    )
    heads = ("Fault", "minutes a year", "share", "how long it lasts", "how often: source")
    return f"<h2>{escape(_('What the year is made of'))}</h2><table>{_heads(heads, _)}{rows}</table>"


def _heads(names: Sequence[str], _: Gettext) -> str:
    return "<tr>" + "".join(f"<th>{escape(_(name))}</th>" for name in names) + "</tr>"


def _minutes(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"
