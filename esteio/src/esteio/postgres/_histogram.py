"""How long something took, counted in buckets.

Promises: an observation costs a fraction of a microsecond and never memory; a snapshot is a frozen record.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

__all__ = ["BOUNDS", "Histogram", "Times"]

BOUNDS: tuple[float, ...] = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of the buckets in seconds; one more holds what took longer."""


@dataclass(frozen=True, slots=True)
class Times:
    """Durations at one moment: `buckets[i]` took at most `BOUNDS[i]` seconds, the last one longer than all."""

    count: int
    seconds: float
    """Their sum."""
    longest: float
    buckets: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Seconds on average; 0 where nothing was counted."""
        return self.seconds / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Seconds that `share` (0 to 1) of them did not exceed, at the precision of the buckets; 0 of none."""
        wanted, seen = share * self.count, 0
        for bound, count in zip(BOUNDS, self.buckets, strict=False):
            seen += count
            if seen >= wanted:
                return min(bound, self.longest)
        return self.longest


class Histogram:
    """Counts durations in seconds."""

    __slots__ = ("buckets", "longest", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.longest = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
        if seconds > self.longest:
            self.longest = seconds

    def add(self, other: Histogram) -> None:
        """Count everything `other` counted."""
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds
        self.longest = max(self.longest, other.longest)

    def times(self, immediate: int = 0) -> Times:
        """A snapshot, in which `immediate` more took no time."""
        buckets = (self.buckets[0] + immediate, *self.buckets[1:])
        return Times(sum(buckets), self.seconds, self.longest, buckets)
