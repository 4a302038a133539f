"""What a fault cost, from the requests around it. Pure.

- offered, lost: of the requests that were due before the end and unanswered at the injection or due after it.
- unknown: of the lost, the writes, which may have been done.
- longest gap: for each route, the longest time after the injection without a good answer.
- MTTR: from the injection to the first moment from which five seconds in a row each have at least 99.9 % good
  requests, and a 99th percentile of at most twice the one before (and never held to less than `FLOOR`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from esteio.drill._request import Request

__all__ = ["FLOOR", "Measure", "measure", "percentile", "recovery", "seconds_of"]

GOOD_SHARE = 0.999
SECONDS_IN_A_ROW = 5
SLOWER = 2.0
FLOOR = 0.25
"""Seconds. Twice the 99th percentile of an idle service is a few ms, which any neighbour on the machine exceeds; nobody
who waits notices less than a quarter of a second."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What one run cost. Times are seconds."""

    offered: int
    lost: int
    unknown: int
    wrong: int
    longest_gap: dict[str, float]
    mttr: float
    """Infinite when it had not recovered at the end."""

    @property
    def worst_gap(self) -> float:
        """The longest gap of any route."""
        return max(self.longest_gap.values(), default=0.0)


def measure(
    requests: Sequence[Request], injected: float, until: float, p99_before: float, *, second: float = 1.0
) -> Measure:
    """What became of the requests from `injected` to `until`, both of the clock of the requests."""
    concerned = [each for each in requests if each.answered >= injected and each.due < until]
    lost = [each for each in concerned if not each.good]
    return Measure(
        offered=len(concerned),
        lost=len(lost),
        unknown=sum(each.write for each in lost),
        wrong=sum(each.outcome == "wrong" for each in lost),
        longest_gap=_gaps(concerned, injected, until),
        mttr=recovery(concerned, injected, until, p99_before, second=second),
    )


def recovery(
    requests: Sequence[Request], injected: float, until: float, p99_before: float, *, second: float = 1.0
) -> float:
    """Seconds from `injected` to the first of five good seconds in a row that were seen whole; infinite without them.

    `second` is the length of one, which tests shorten.
    """
    limit = max(SLOWER * p99_before, FLOOR)
    due = [each.due for each in requests]
    # Counts of all before each request, so that a second is judged without looking at its requests again.
    bad = [0, *accumulate(not each.good for each in requests)]
    slow = [0, *accumulate(each.took > limit for each in requests)]
    # It can only begin at the injection, or right after a request that was not good enough.
    ends = [injected, *(math.nextafter(e.due, math.inf) for e in requests if not e.good or e.took > limit)]
    for begin in sorted(max(injected, end) for end in ends):
        if begin + SECONDS_IN_A_ROW * second > until:
            break
        bounds = [bisect_left(due, begin + each * second) for each in range(SECONDS_IN_A_ROW + 1)]
        if all(_good_second(b - a, bad[b] - bad[a], slow[b] - slow[a]) for a, b in pairwise(bounds)):
            return begin - injected
    return math.inf


def _good_second(requests: int, bad: int, slow: int) -> bool:
    """At most one in a thousand bad; and a 99th percentile within the limit, which is: one in a hundred slower."""
    return requests > 0 and bad <= (1 - GOOD_SHARE) * requests and slow <= requests - math.ceil(0.99 * requests)


def _gaps(requests: Sequence[Request], injected: float, until: float) -> dict[str, float]:
    gaps = {}
    for route in dict.fromkeys(each.route for each in requests):
        answers = sorted(each.answered for each in requests if each.route == route and each.good)
        marks = [injected, *(moment for moment in answers if moment < until), until]
        gaps[route] = max(b - a for a, b in pairwise(marks))
    return gaps


def percentile(values: Sequence[float], q: float) -> float:
    """The `q`-th percentile, nearest rank; 0 without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * q / 100) - 1)] if ordered else 0.0


def seconds_of(requests: Sequence[Request], injected: float) -> dict[int, Counter[str]]:
    """How many requests came to which end, by the whole second they were due, counted from the injection."""
    seconds: dict[int, Counter[str]] = {}
    for each in requests:
        seconds.setdefault(math.floor(each.due - injected), Counter())[each.outcome.value] += 1
    return dict(sorted(seconds.items()))
