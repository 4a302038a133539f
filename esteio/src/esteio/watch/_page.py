"""The status page: one HTML, whole without scripts, in Portuguese and English. Pure.

Promises: green is only what was seen to work; what nobody knows is grey, with the last that is known and since when. No reason
and no address is on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import takewhile
from zoneinfo import ZoneInfo

from esteio.alert.incidents import Uptime
from esteio.health.series import Interval, State, shares
from esteio.watch._sight import Seen, Sight, Subject
from esteio.watch._words import WORDS, WatchWords
from esteio.web.operations._charts import strip
from esteio.web.operations._words import LANGUAGES

__all__ = ["DAYS", "Past", "page", "verdict"]

DAYS = 90
_DAY = 86_400.0
_MOST_STRIPS = 100  # a page of more would be megabytes
_MOST_NAMES = 5
_SECTIONS = ("heartbeat", "watcher")  # kinds of subjects that have a section of their own; all others are probes
_GOOD = (State.UP, State.DEGRADED)
_UNKNOWN = Seen(State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Past:
    """What the history says of one subject: its `intervals` of 90 days, and its uptimes over a day and over 90."""

    intervals: Sequence[Interval] = ()
    uptimes: Sequence[Uptime] = ()

    def since(self, state: State) -> float | None:
        """When the newest intervals in `state` began; None when the history does not say."""
        lasting = list(takewhile(lambda each: each.state is state, reversed(self.intervals)))
        return lasting[-1].since if lasting else None

    @property
    def last_good(self) -> float | None:
        """When it was last seen working."""
        return next((each.until for each in reversed(self.intervals) if each.state in _GOOD), None)


def verdict(sight: Sight, subjects: Sequence[Subject], words: WatchWords) -> tuple[str, str]:
    """The class and the sentence of how everything is."""
    seen = {each: sight.seen.get(each.name, _UNKNOWN) for each in subjects}
    down = [each.title for each, of in seen.items() if of.shown is State.DOWN]
    unknown = [each.title for each, of in seen.items() if of.shown is State.UNKNOWN]
    if down:
        return "fail", words.some_down.format(count=len(down), all=len(subjects), names=_names(down))
    if sight.isolated:
        return "unknown", words.cut_off
    if len(unknown) == len(subjects):
        return "unknown", words.all_unknown
    if unknown:
        return "unknown", words.some_unknown.format(names=_names(unknown))
    return "well", words.all_up


def page(
    sight: Sight, subjects: Sequence[Subject], past: Mapping[str, Past], *, watcher: str, title: str, language: str,
    zone: ZoneInfo,
) -> str:  # fmt: skip
    """The whole document."""
    words, common = WORDS[language], LANGUAGES[language]
    heading = title or words.heading
    kind, sentence = verdict(sight, subjects, words)
    cut_off = f'<p class="age">{escape(words.cut_off)}</p>' if sight.isolated and kind == "fail" else ""
    seen = words.seen.format(name=watcher, moment=common.at(sight.at, zone))
    writer = _Writer(words, language, zone, strips=len(subjects) <= _MOST_STRIPS)
    sections = "".join(
        _section(label, [each for each in subjects if _section_of(each) == which], sight, past, writer)
        for which, label in words.kinds
    )
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{escape(heading)}</title>
<link rel="stylesheet" href="page.css"><link rel="icon" href="data:,"></head>
<body><main>
<h1>{escape(heading)}</h1>
<p class="verdict {kind}" role="status"><strong>{escape(sentence)}</strong></p>
{cut_off}<p class="age">{escape(seen)}</p>
{sections}
</main></body></html>
"""


@dataclass(frozen=True, slots=True)
class _Writer:
    words: WatchWords
    language: str
    zone: ZoneInfo
    strips: bool

    def row(self, subject: Subject, seen: Seen, past: Past, now: float) -> str:
        common, state = LANGUAGES[self.language], seen.shown
        since = past.since(state)
        said = common.states[state]
        if seen.maintenance is not None:
            said += self.words.until.format(moment=common.at(seen.maintenance, self.zone))
        cells = (
            f'<th scope="row">{escape(subject.title)}</th>',
            f'<td><span class="dot {state.value}"></span>{escape(said)}</td>',
            f"<td>{'–' if since is None else escape(common.at(since, self.zone))}</td>",
            f"<td>{escape(self.words.now if state in _GOOD else self._last_good(past))}</td>",
            f"<td>{self._available(past)}{self._strip(subject, past, now)}</td>",
        )
        return f"<tr>{''.join(cells)}</tr>"

    def _last_good(self, past: Past) -> str:
        good = past.last_good
        return self.words.never if good is None else LANGUAGES[self.language].at(good, self.zone)

    def _available(self, past: Past) -> str:
        common, parts = LANGUAGES[self.language], []
        for label, uptime in zip(self.words.windows, past.uptimes, strict=False):
            if uptime.ratio is None:
                continue
            share = common.number(100 * uptime.ratio, 3 if uptime.ratio < 1 else 0, "%")
            observed = uptime.period - uptime.seconds[State.UNKNOWN]
            little = observed < 0.95 * uptime.period
            of = self.words.observed.format(length=common.span(observed)) if little else ""
            parts.append(f"{label}: {share}{of}")
        return escape("; ".join(parts) or "–")

    def _strip(self, subject: Subject, past: Past, now: float) -> str:
        if not (self.strips and past.intervals):
            return ""
        common, seconds = LANGUAGES[self.language], shares(past.intervals)
        label = self.words.strip.format(
            name=subject.title, down=common.span(seconds[State.DOWN]), unknown=common.span(seconds[State.UNKNOWN])
        )
        return f"<br>{strip(past.intervals, now - DAYS * _DAY, now, label, slots=DAYS)}"


def _section(label: str, subjects: Sequence[Subject], sight: Sight, past: Mapping[str, Past], writer: _Writer) -> str:
    if not subjects:
        return ""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in writer.words.columns)
    rows = "".join(
        writer.row(each, sight.seen.get(each.name, _UNKNOWN), past.get(each.name, Past()), sight.at)
        for each in subjects
    )
    return (
        f'<section><h2>{escape(label)}</h2><div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>\n"
    )


def _section_of(subject: Subject) -> str:
    return subject.kind if subject.kind in _SECTIONS else "probes"


def _names(titles: Sequence[str]) -> str:
    more = ["…"] if len(titles) > _MOST_NAMES else []
    return ", ".join([*titles[:_MOST_NAMES], *more])
