"""Log-linear histograms of seconds: fixed size, and the sum of two is exact.

Promises: a quantile is within 5 % of the true one between 31 µs and 64 s (the middle of a bucket is at most 1/24 = 4.2 %
from anything in it); below and above, it is the bound. Each power of two is divided into `STEPS` equal buckets, as
HdrHistogram does with its sub-buckets (Tene, hdrhistogram.org); 12 is the least that keeps to the 5 %.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import frexp, ldexp

__all__ = ["BUCKETS", "Latency", "bucket_of", "upper_bound"]

STEPS = 12
_LOWEST, _HIGHEST = -15, 6  # powers of two, of seconds
BUCKETS = (_HIGHEST - _LOWEST) * STEPS + 2  # one below and one above


def bucket_of(seconds: float) -> int:
    """The bucket in which `seconds` is counted."""
    mantissa, exponent = frexp(seconds)  # seconds = mantissa * 2**exponent, mantissa from 0.5 to 1
    if exponent <= _LOWEST or seconds <= 0:
        return 0
    if exponent > _HIGHEST:
        return BUCKETS - 1
    return 1 + (exponent - 1 - _LOWEST) * STEPS + int((mantissa - 0.5) * (2 * STEPS))


def upper_bound(bucket: int) -> float:
    """Where `bucket` ends, in seconds; the last one ends nowhere."""
    if bucket >= BUCKETS - 1:
        return float("inf")
    octave, step = divmod(bucket, STEPS)
    return ldexp(1 + step / STEPS, _LOWEST + octave)


@dataclass(frozen=True, slots=True)
class Latency:
    """How often something took how long: the `seconds` of all together, and how many fell into each bucket."""

    seconds: float
    buckets: Sequence[int]

    @property
    def count(self) -> int:
        """How many."""
        return sum(self.buckets)

    def quantile(self, part: float) -> float | None:
        """The seconds that `part` (0 to 1) of them did not exceed; None when there are none."""
        count = self.count
        if not count:
            return None
        wanted, seen = max(1, int(part * count + 0.5)), 0  # the rank that HdrHistogram takes
        for bucket, number in enumerate(self.buckets):
            seen += number
            if seen >= wanted:
                return _middle(bucket)
        return _middle(BUCKETS - 1)

    def up_to(self, bounds: tuple[float, ...]) -> list[int]:
        """How many took at most each of `bounds`, which are ends of buckets, in ascending order."""
        ends = _ends(bounds)
        return list(accumulate(sum(self.buckets[begin:end]) for begin, end in pairwise((0, *ends))))


@lru_cache(maxsize=16)
def _ends(bounds: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(bisect_right(range(BUCKETS), bound, key=upper_bound) for bound in bounds)


def _middle(bucket: int) -> float:
    if bucket == 0:
        return upper_bound(0)
    if bucket >= BUCKETS - 1:
        return ldexp(1.0, _HIGHEST)
    return (upper_bound(bucket - 1) + upper_bound(bucket)) / 2
