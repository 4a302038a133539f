"""The year: how long the service would be away, from what the runs lost and how often each fault happens.

D = sum over the faults, sum over their events in the year, of the seconds away x the share of events that meet people
at work. "Away" is lost requests over the rate of requests: one second in which everything is lost counts as much as
ten in which every tenth request is.

- Events: Poisson, with a rate drawn from Gamma(k + 1/2) / exposure where k events were counted (Jeffreys' prior), else
  from a lognormal whose median is the given rate and whose 95th percentile is three times that (error factor 3); events
  that were seen since update either (`Rate.gamma`).
- Seconds away of an event: whether it hurts at all is drawn from Beta(h + 1/2, n - h + 1/2), h of n runs having lost
  something, so that no loss in n runs still leaves about 2.4/n as upper bound; how much, from the runs that hurt
  (bootstrap), times a lognormal tail of error factor 3; where no run hurt, the longest gap that was seen.
- To that comes, where a person has to act, the time until one does (lognormal, error factor 3 around the given median).

Sources of the formula: NUREG/CR-6823 (Jeffreys' priors, error factors); the rates name their own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esteio.drill._fault import Group
from esteio.drill._rates import SIGMA, Rate

__all__ = ["MINUTES_99_9", "MINUTES_99_99", "Event", "Prediction", "Share", "predict"]

MINUTES_99_9 = 0.001 * 365 * 24 * 60
MINUTES_99_99 = 0.0001 * 365 * 24 * 60


@dataclass(frozen=True, slots=True)
class Event:
    """What one valid run cost: seconds away, and the longest gap."""

    away: float
    gap: float


@dataclass(frozen=True, slots=True)
class Share:
    """A fault's part of the year."""

    name: str
    minutes: float
    """Mean minutes a year."""
    share: float
    """Of the mean of all."""
    measured: bool
    """Whether runs of this drill say how long it lasts; else it is assumed."""
    source: str


@dataclass(frozen=True, slots=True)
class Total:
    """Minutes away in a year."""

    median: float
    low: float
    """5th percentile."""
    high: float
    """95th percentile."""
    p_99_9: float
    """Probability of at most 525.6 minutes, 99.9 %."""
    p_99_99: float
    """Probability of at most 52.6 minutes, 99.99 %."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The year, in three totals that contain each other."""

    software: Total
    with_changes: Total
    with_site: Total
    shares: tuple[Share, ...]
    left_out: tuple[str, ...]
    """Rates without a measured or an assumed duration: in no total."""
    unrated: tuple[str, ...]
    """Faults that were measured, and no rate says how often they come: in no total."""


def predict(
    events: Mapping[str, Sequence[Event]],
    rates: Sequence[Rate],
    *,
    years: int = 5000,
    rng: random.Random | None = None,
) -> Prediction:
    """Draw `years` years; `events` are the valid runs of each fault."""
    rng = rng or random.Random(1)  # noqa: S311 - a simulation, the same each time
    usable = [rate for rate in rates if events.get(rate.measured_by or rate.name) or rate.assumed_minutes]
    drawn = {rate.name: [_year(rate, _events(events, rate), rng) for _ in range(years)] for rate in usable}
    mean = {name: sum(minutes) / years for name, minutes in drawn.items()}
    whole = sum(mean.values()) or 1.0
    shares = sorted(
        (
            Share(rate.name, mean[rate.name], mean[rate.name] / whole, bool(_events(events, rate)), rate.source)
            for rate in usable
        ),
        key=lambda share: -share.minutes,
    )
    left_out = tuple(rate.name for rate in rates if rate not in usable)
    software, with_changes, with_site = (_total(_years(usable, drawn, upto, years)) for upto in _WITHIN)
    rated = {rate.measured_by or rate.name for rate in rates}
    unrated = tuple(name for name, seen in events.items() if seen and name not in rated)
    return Prediction(software, with_changes, with_site, tuple(shares), left_out, unrated)


_WITHIN = ((Group.SOFTWARE,), (Group.SOFTWARE, Group.CHANGES), tuple(Group))


def _years(
    rates: Sequence[Rate], drawn: Mapping[str, Sequence[float]], groups: Sequence[Group], years: int
) -> list[float]:
    """Minutes of each year, over the faults of `groups`."""
    chosen = [drawn[rate.name] for rate in rates if rate.group in groups]
    return [sum(minutes) for minutes in zip(*chosen, strict=True)] if chosen else [0.0] * years


def _events(events: Mapping[str, Sequence[Event]], rate: Rate) -> Sequence[Event]:
    return events.get(rate.measured_by or rate.name, ())


def _year(rate: Rate, events: Sequence[Event], rng: random.Random) -> float:
    """Minutes away in one year by one kind of fault."""
    gamma = rate.gamma()
    intensity = rng.gammavariate(gamma[0], 1.0) / gamma[1] if gamma else rate.yearly * _factor(rng)
    hurts = sum(event.away > 0 for event in events)
    p = rng.betavariate(hurts + 0.5, len(events) - hurts + 0.5) if events else 1.0
    happened = sum(rng.random() < rate.office for _ in range(_poisson(intensity, rng)))
    return sum(_minutes(rate, events, rng) for _ in range(happened) if rng.random() < p)


def _minutes(rate: Rate, events: Sequence[Event], rng: random.Random) -> float:
    hurtful = [event.away for event in events if event.away > 0]
    if hurtful:
        seconds = rng.choice(hurtful) * _factor(rng)
    elif events:
        seconds = max(event.gap for event in events) * _factor(rng)
    else:
        seconds = 0.0
    return seconds / 60 + (rate.person_minutes + rate.assumed_minutes) * _factor(rng)


def _factor(rng: random.Random) -> float:
    return rng.lognormvariate(0.0, SIGMA)


def _poisson(mean: float, rng: random.Random) -> int:
    """Knuth's method: rates of a year are small."""
    if mean > 500:  # exp(-mean) would vanish; the normal approximation is within a hundredth there
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def _total(minutes: Sequence[float]) -> Total:
    ordered = sorted(minutes)

    def quantile(q: float) -> float:
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]

    return Total(
        quantile(0.5),
        quantile(0.05),
        quantile(0.95),
        sum(each <= MINUTES_99_9 for each in ordered) / len(ordered),
        sum(each <= MINUTES_99_99 for each in ordered) / len(ordered),
    )
