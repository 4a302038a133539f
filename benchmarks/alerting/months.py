"""Thirty days of requests at any traffic: no page while no more fails than is allowed, and burns are found while they last."""

from __future__ import annotations

from math import exp, log
from random import Random

from esteio.alert.objectives import AVAILABILITY, WINDOWS, Ledger, Minute, burns

RATES = (0.01, 0.1, 1.0, 10.0, 100.0)  # requests a second
_START, _DAY = 1_800_000_000, 86_400
_SURE = 20  # failures that a burn has: fewer prove nothing


def false_pages(days: int) -> int:
    """In `days` at each of RATES, with just as many failures as are allowed: with fewer it is easier."""
    pages = 0
    for rate in RATES:
        random, ledger = Random(f"quiet {rate}"), Ledger()
        for number in range(days * _DAY // 60):
            at = _START + 60 * number
            ledger.add(_minute(random, at, rate, AVAILABILITY.allowed))
            pages += sum(burn.burning for burn in burns(AVAILABILITY, ledger, at, WINDOWS[:2]))
    return pages


def found(count: int) -> float:
    """Percent of `count` burns of 14.4 to 1,000 times that were found; each uses up a tenth of the month's budget."""
    random = Random("burns")
    return 100 * sum(_is_found(random) for _ in range(count)) / count


def _is_found(random: Random) -> bool:
    rate, factor = exp(random.uniform(log(0.01), log(100))), exp(random.uniform(log(14.4), log(1000)))
    failing = min(1.0, factor * AVAILABILITY.allowed)
    lasts = int(max(0.1 * AVAILABILITY.period / factor, _SURE / (rate * failing), 300) / 60) + 1
    ledger, before = Ledger(), _DAY // 60
    for number in range(before):
        ledger.add(_minute(random, _START + 60 * number, rate, AVAILABILITY.allowed / 2))
    for number in range(before, before + lasts):
        at = _START + 60 * number
        ledger.add(_minute(random, at, rate, failing))
        if any(burn.burning for burn in burns(AVAILABILITY, ledger, at)):
            return True
    return False


def _minute(random: Random, at: int, rate: float, failing: float) -> Minute:
    requests = _poisson(random, 60 * rate)
    return Minute(at, requests, min(requests, _poisson(random, requests * failing)))


def _poisson(random: Random, mean: float) -> int:
    if mean > 200:  # by the normal distribution: as good there, and bounded
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, product, number = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        number += 1
    return number
