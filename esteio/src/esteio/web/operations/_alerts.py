"""The page's part on alerts: what fires and who looks after it, silences, the error budget, incidents. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from zoneinfo import ZoneInfo

from esteio.alert.incidents import Evidence, Incident
from esteio.alert.monitor import evidence_of
from esteio.alert.rules import ABSENT, Alert
from esteio.health.series import Mark
from esteio.web._alerts import AlertFacts
from esteio.web.operations._tables import Orders, table
from esteio.web.operations._words import Words

__all__ = ["SILENCES", "alert_section"]

SILENCES = (30, 120, 480, 1440, 10_080)
"""Minutes for which an alert may be silenced: half an hour to a week, because what is forgotten must not stay silent."""
_SILENT = 120.0  # seconds; the monitor writes every 30
_MOST_INCIDENTS = 20
_MOST_EVIDENCE = 8
_BEFORE = 300.0  # seconds: as `esteio.alert.incidents.Spacing`


def alert_section(
    facts: AlertFacts, words: Words, titles: Mapping[str, str], marks: Sequence[Mark], now: float, zone: ZoneInfo,
    orders: Orders | None, report: str | None,
) -> str:  # fmt: skip
    """All of it; `titles` are what alerts say, by their names. With `orders` there are buttons, with `report` a link."""
    return (
        _decided(facts, words, now, zone)
        + (_firing(facts.firing, words, titles, zone, orders) if facts.firing or _is_decided(facts, now) else "")
        + _headed(words["silences"], _silences(facts, words, zone, orders) if facts.silences else "")
        + _headed(words["budget"], _budgets(facts, words))
        + _headed(words["incidents"], _incidents(facts.incidents, words, titles, marks, now, zone))
        + (f'<p><a href="{escape(report)}">{escape(words["report"])}</a></p>' if report is not None else "")
    )


def _is_decided(facts: AlertFacts, now: float) -> bool:
    """Whether it is known that nothing else fires."""
    return facts.decided_at is not None and now - facts.decided_at <= _SILENT


def _decided(facts: AlertFacts, words: Words, now: float, zone: ZoneInfo) -> str:
    if facts.decided_at is None:
        return f"<p>{escape(words['never_decided'])}</p>"
    if _is_decided(facts, now):
        return ""
    said = words["undecided"].format(since=words.at(facts.decided_at, zone))
    return f'<p class="problems">{escape(said)}</p>'


def _headed(heading: str, content: str) -> str:
    return f"<h3>{escape(heading)}</h3>{content}" if content else ""


def _firing(
    alerts: Sequence[Alert], words: Words, titles: Mapping[str, str], zone: ZoneInfo, orders: Orders | None
) -> str:
    rows = [
        [
            f"{escape(title)}<small><code>{escape(alert.name)}</code></small>",
            escape(words.at(alert.bad_since or alert.firing_since or 0.0, zone)), escape(_state(alert, words)),
            escape(alert.reason), *([_buttons(alert, title, words, orders)] if orders is not None else ()),
        ]
        for alert in alerts for title in [_alert_title(alert.name, words, titles)]
    ]  # fmt: skip
    heads = [words[key] for key in ("alert", "when", "state", "evidence")]
    return table(words["firing"], [*heads, *([words["orders"]] if orders is not None else ())], rows, words["calm"])


def _state(alert: Alert, words: Words) -> str:
    if alert.acknowledged:
        return words["acknowledged"].format(by=alert.acknowledged)
    return words[f"held_{alert.held}"] if alert.held else words["told" if alert.told else "untold"]


def _buttons(alert: Alert, title: str, words: Words, orders: Orders) -> str:
    acknowledge = (
        ""
        if alert.acknowledged
        else _form(orders, alert.name, _button("acknowledge", words["acknowledge"], title, words))
    )
    options = "".join(f'<option value="{each}">{escape(words.span(60.0 * each))}</option>' for each in SILENCES)
    label = escape(words["silence_for"].format(name=title))
    choice = f'<select name="minutes" aria-label="{label}">{options}</select>'
    return acknowledge + _form(orders, alert.name, choice + _button("silence", words["silence"], title, words))


def _button(order: str, said: str, title: str, words: Words) -> str:
    label = words["alert_order"].format(order=said, name=title)
    return f'<button name="order" value="{order}" aria-label="{escape(label)}">{escape(said)}</button>'


def _form(orders: Orders, name: str, content: str) -> str:
    return (
        f'<form class="orders" method="post" action="{escape(orders.path)}/alerts">'
        f'<input type="hidden" name="alert" value="{escape(name)}">'
        f'<input type="hidden" name="token" value="{escape(orders.token)}">{content}</form>'
    )


def _silences(facts: AlertFacts, words: Words, zone: ZoneInfo, orders: Orders | None) -> str:
    rows = [
        [
            f"<code>{escape(each.pattern)}</code>", escape(words.at(each.until, zone)), escape(each.by), escape(each.why),
            *(
                [_form(orders, each.pattern, _button("end-silence", words["end_silence"], each.pattern, words))]
                if orders is not None else ()
            ),
        ]
        for each in facts.silences
    ]  # fmt: skip
    heads = [words[key] for key in ("alert", "until", "by", "why")]
    return table(words["silences"], [*heads, *([words["orders"]] if orders is not None else ())], rows, words["none"])


def _budgets(facts: AlertFacts, words: Words) -> str:
    rows = []
    for found, burns in facts.objectives:
        left = words["unseen"] if found.left is None else words.number(100 * found.left, 1, "%")
        target = words.number(100 * found.objective.target, 1, "%")
        said = words[f"objective_{found.objective.name}"].format(target=target)
        rates = [escape(words.number(each.rate, 1, "×")) + ("!" if each.burning else "") for each in burns]
        rows.append([escape(said), f"<strong>{escape(left)}</strong>", *rates])
    windows = [words["burn"].format(window=each.window.name) for each in facts.objectives[0][1]]
    return table(words["budget"], [words["objective"], words["left"], *windows], rows, words["none"])


def _incidents(
    incidents: Sequence[Incident], words: Words, titles: Mapping[str, str], marks: Sequence[Mark], now: float,
    zone: ZoneInfo,
) -> str:  # fmt: skip
    rows = [
        [
            f"{escape(words.at(each.began, zone))}<small>{escape(_length(each, words, now))}</small>",
            escape(_cause_text(each.cause, words, titles)),
            escape(", ".join(words[f"source_{source}"] for source in each.sources)),
            escape(words.span(each.detection_delay)), _evidence(each, words, titles, marks, now, zone),
        ]
        for each in incidents[:_MOST_INCIDENTS]
    ]  # fmt: skip
    heads = [words[key] for key in ("when", "cause", "seen_by", "delay", "evidence")]
    return table(words["incidents"], heads, rows, words["no_incidents"])


def _length(incident: Incident, words: Words, now: float) -> str:
    said = words["goes_on" if incident.open else "lasted"].format(duration=words.span(incident.duration(now)))
    return f"{said}; {words['in_maintenance']}" if incident.maintenance else said


def _evidence(
    incident: Incident, words: Words, titles: Mapping[str, str], marks: Sequence[Mark], now: float, zone: ZoneInfo
) -> str:
    found = _with_marks(incident, marks, now)
    shown = "".join(
        f"<li>{escape(words.at(each.at, zone))} {escape(_evidence_text(each, words, titles))}</li>"
        for each in found[:_MOST_EVIDENCE]
    )
    if len(found) > _MOST_EVIDENCE:
        shown += f"<li>{escape(words['more'].format(more=len(found) - _MOST_EVIDENCE))}</li>"
    return f'<ul class="evidence">{shown}</ul>'


def _with_marks(incident: Incident, marks: Sequence[Mark], now: float) -> Sequence[Evidence]:
    """The evidence, with deploys, rolls and settings that were changed shortly before or while it lasted, in order."""
    end = now if incident.ended is None else incident.ended
    lately = evidence_of(mark for mark in marks if incident.began - _BEFORE <= mark.at <= end)
    known = {(each.code, each.detail) for each in incident.evidence}
    return sorted(
        (*incident.evidence, *(each for each in lately if (each.code, each.detail) not in known)),
        key=lambda each: each.at,
    )


def _evidence_text(evidence: Evidence, words: Words, titles: Mapping[str, str]) -> str:
    """What happened, in words."""
    said = _cause_text(evidence.code, words, titles)
    return f"{said}: {evidence.detail}" if evidence.detail else said


def _cause_text(code: str, words: Words, titles: Mapping[str, str]) -> str:
    """What a cause is called: one of `CAUSES`, or what the alert of that name says."""
    known = words.texts.get(f"cause_{code}")
    return known if known is not None else _alert_title(code, words, titles)


def _alert_title(name: str, words: Words, titles: Mapping[str, str]) -> str:
    """What the alert says; its name where nobody gave it words."""
    base = name.removesuffix(ABSENT)
    title = titles.get(base, base)
    return title if base == name else words["absent"].format(title=title)
