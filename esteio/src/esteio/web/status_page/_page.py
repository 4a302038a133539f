"""The public page as HTML, in Portuguese and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from zoneinfo import ZoneInfo

from esteio.health.series import State, shares
from esteio.web.operations._charts import strip
from esteio.web.operations._words import LANGUAGES, Words
from esteio.web.status_page._standing import DAY, DAYS, WINDOWS, Standing

__all__ = ["TEXTS", "page"]

_MOST_OUTAGES = 10
_KINDS = {State.UP: "well", State.DOWN: "fail", State.MAINTENANCE: "closed", State.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class Texts:
    """What the page says; numbers and times are written as `words` has them."""

    words: Words
    title: str
    now: Mapping[State, str]
    since: Mapping[State, str]
    until: str
    badges: Mapping[State, str]
    last_days: str
    strip: str
    availability: str
    observed: str
    windows: Mapping[str, str]
    outages: str
    outage: str
    none: str
    seen: str
    unwatched: str

    def sentence(self, standing: Standing, zone: ZoneInfo) -> str:
        """How it is, and since when."""
        if standing.since is None:
            said = self.now[standing.state]
        else:
            age, moment = self.words.span(standing.at - standing.since), self.words.at(standing.since, zone)
            said = self.since[standing.state].format(moment=moment, age=age)
        if standing.until is not None:
            said += self.until.format(moment=self.words.at(standing.until.timestamp(), zone))
        return said

    def badge(self, standing: Standing) -> str:
        """How it is, in two words; and the share of 90 days, once half of them were observed."""
        share, said = standing.shares["90d"], self.badges[standing.state]
        little = standing.observed["90d"] < WINDOWS["90d"] / 2
        return said if share is None or little or standing.state is not State.UP else f"{said} · {self.percent(share)}"

    def percent(self, share: float | None) -> str:
        """With three digits, for the difference between 99.9 and 99.99 is what it is about."""
        return "–" if share is None else self.words.number(100 * share, 3 if share < 1 else 0, "%")


_UP, _DOWN, _CLOSED, _UNKNOWN = State.UP, State.DOWN, State.MAINTENANCE, State.UNKNOWN
TEXTS = {
    "pt-BR": Texts(
        words=LANGUAGES["pt-BR"],
        title="Situação do serviço",
        now={
            _UP: "O serviço está no ar.", _DOWN: "O serviço está fora do ar.",
            _CLOSED: "O serviço está em manutenção.", _UNKNOWN: "Não se sabe como está o serviço.",
        },
        since={
            _UP: "O serviço está no ar.",
            _DOWN: "O serviço está fora do ar desde {moment}, há {age}.",
            _CLOSED: "O serviço está em manutenção desde {moment}.",
            _UNKNOWN: "Não se sabe como está o serviço desde {moment}.",
        },
        until=" O fim é esperado para {moment}.",
        badges={_UP: "no ar", _DOWN: "fora do ar", _CLOSED: "em manutenção", _UNKNOWN: "não se sabe"},
        last_days="Últimos 90 dias",
        strip="Um traço por dia, até hoje: {outages} interrupções, {down} fora do ar, {unknown} sem observação.",
        availability="Disponível",
        observed=" de {length} observados",
        windows={"24h": "24 horas", "7d": "7 dias", "30d": "30 dias", "90d": "90 dias"},
        outages="Interrupções",
        outage="{moment}, por {length}",
        none="Nenhuma foi vista nos últimos 90 dias.",
        seen="Visto em {moment}.",
        unwatched="Ainda não há histórico.",
    ),
    "en": Texts(
        words=LANGUAGES["en"],
        title="Status of the service",
        now={
            _UP: "The service is up.", _DOWN: "The service is down.", _CLOSED: "The service is closed for maintenance.",
            _UNKNOWN: "It is not known how the service is.",
        },
        since={
            _UP: "The service is up.",
            _DOWN: "The service is down since {moment}, for {age}.",
            _CLOSED: "The service is closed for maintenance since {moment}.",
            _UNKNOWN: "It is not known how the service is since {moment}.",
        },
        until=" It is expected to end at {moment}.",
        badges={_UP: "up", _DOWN: "down", _CLOSED: "maintenance", _UNKNOWN: "unknown"},
        last_days="Last 90 days",
        strip="One bar a day, until today: {outages} outages, {down} down, {unknown} not observed.",
        availability="Available",
        observed=" of {length} observed",
        windows={"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"},
        outages="Outages",
        outage="{moment}, for {length}",
        none="None was seen in the last 90 days.",
        seen="Seen at {moment}.",
        unwatched="There is no history yet.",
    ),
}  # fmt: skip


def page(standing: Standing, tag: str, *, path: str, title: str, zone: ZoneInfo) -> str:
    """The whole document."""
    texts = TEXTS[tag]
    heading = f"{title} · {texts.title}" if title else texts.title
    seen = texts.seen.format(moment=texts.words.at(standing.at, zone))
    history = _history(standing, texts, zone) if standing.intervals else f"<p>{escape(texts.unwatched)}</p>"
    return f"""<!doctype html>
<html lang="{tag}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{escape(heading)}</title>
<link rel="stylesheet" href="{path}/page.css"><link rel="icon" href="data:,"></head>
<body><main>
<h1>{escape(heading)}</h1>
<p class="verdict {_KINDS[standing.state]}" role="status"><strong>{escape(texts.sentence(standing, zone))}</strong></p>
<p class="age">{escape(seen)}</p>
{history}
</main></body></html>
"""


def _history(standing: Standing, texts: Texts, zone: ZoneInfo) -> str:
    words, seconds = texts.words, shares(standing.intervals)
    outages = [interval for interval in standing.intervals if interval.state is State.DOWN]
    label = texts.strip.format(
        outages=len(outages), down=words.span(seconds[State.DOWN]), unknown=words.span(seconds[State.UNKNOWN])
    )
    bars = strip(standing.intervals, standing.at - DAYS * DAY, standing.at, label, slots=DAYS)
    numbers = "".join(
        f"<div><dt>{escape(texts.windows[window])}</dt><dd>{texts.percent(share)}{_of(standing, window, texts)}</dd></div>"
        for window, share in standing.shares.items()
    )
    told = "".join(
        f"<li>{escape(texts.outage.format(moment=words.at(i.since, zone), length=words.span(i.until - i.since)))}</li>"
        for i in reversed(outages[-_MOST_OUTAGES:])
    )
    return f"""<section><h2>{escape(texts.last_days)}</h2>{bars}<p class="age">{escape(label)}</p></section>
<section><h2>{escape(texts.availability)}</h2><dl>{numbers}</dl></section>
<section><h2>{escape(texts.outages)}</h2>{f"<ul>{told}</ul>" if told else f"<p>{escape(texts.none)}</p>"}</section>"""


def _of(standing: Standing, window: str, texts: Texts) -> str:
    """Of how much time the share is, where that is clearly less than the window."""
    seconds = standing.observed[window]
    if standing.shares[window] is None or seconds > 0.95 * WINDOWS[window]:
        return ""
    return f"<small>{escape(texts.observed.format(length=texts.words.span(seconds)))}</small>"
