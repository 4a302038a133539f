"""Limits that find themselves from what calls take. Pure: samples in, limit out.

AIMD: one more place after a whole window without trouble, a share less when a call failed or took too long.
Gradient: after Netflix concurrency-limits' Gradient2: the limit follows the ratio of the long-term to the
recent latency, plus room for a queue of sqrt(limit).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Protocol

from esteio.policy._parameters import count, factor, seconds, share

__all__ = ["AIMD", "AdaptiveLimit", "Gradient", "LimitState"]


class LimitState(Protocol):
    """A limit that moves."""

    limit: int

    def sample(self, took: float, in_use: int, failed: bool) -> int:
        """Take in a call of `took` seconds, ended while `in_use` ran; the limit from now on."""
        ...

    def cut(self, took: float, in_use: int) -> int:
        """As `sample`, for a call that was stopped from outside after `took` seconds and would have taken longer."""
        ...


def _bounds(owner: str, minimum: object, maximum: object, initial: object) -> None:
    low = count(owner, "minimum", minimum)
    start = count(owner, "initial", initial, low)
    count(owner, "maximum", maximum, start)


@dataclass(frozen=True, slots=True)
class AIMD:
    """Additive increase, multiplicative decrease: calls above `slow_after` seconds and failures shrink the limit."""

    slow_after: float
    minimum: int = 1
    maximum: int = 200
    initial: int = 20
    decrease: float = 0.9

    def __post_init__(self) -> None:
        seconds("AIMD", "slow_after", self.slow_after)
        _bounds("AIMD", self.minimum, self.maximum, self.initial)
        share("AIMD", "decrease", self.decrease)

    def start(self) -> LimitState:
        """A fresh limit."""
        return _AIMDState(self)


class _AIMDState:
    def __init__(self, definition: AIMD) -> None:
        self.definition = definition
        self.limit = definition.initial
        self._good = 0

    def sample(self, took: float, in_use: int, failed: bool) -> int:
        made = self.definition
        if failed or took > made.slow_after:
            self._good = 0
            self.limit = max(made.minimum, int(self.limit * made.decrease))
        elif in_use * 2 >= self.limit:  # an unused limit proves nothing
            self._good += 1
            if self._good >= self.limit:
                self._good = 0
                self.limit = min(made.maximum, self.limit + 1)
        return self.limit

    def cut(self, took: float, in_use: int) -> int:
        """A call cut before `slow_after` might have been in time: it says nothing."""
        return self.sample(took, in_use, failed=True) if took > self.definition.slow_after else self.limit


@dataclass(frozen=True, slots=True)
class Gradient:
    """Follows latency without a threshold: shrinks when recent calls take `tolerance` times longer than usual."""

    minimum: int = 1
    maximum: int = 200
    initial: int = 20
    tolerance: float = 1.5
    smoothing: float = 0.2
    long_window: int = 600

    def __post_init__(self) -> None:
        _bounds("Gradient", self.minimum, self.maximum, self.initial)
        factor("Gradient", "tolerance", self.tolerance)
        share("Gradient", "smoothing", self.smoothing)
        count("Gradient", "long_window", self.long_window, 10)

    def start(self) -> LimitState:
        """A fresh limit."""
        return _GradientState(self)


class _GradientState:
    def __init__(self, definition: Gradient) -> None:
        self.definition = definition
        self.limit = definition.initial
        self._exact = float(definition.initial)
        self._long = 0.0
        self._samples = 0

    def sample(self, took: float, in_use: int, failed: bool) -> int:
        made = self.definition
        if not failed:  # how long a call that did not come back took is no latency
            self._samples = min(self._samples + 1, made.long_window)
            self._long += (took - self._long) / self._samples
            if self._long > 2 * took:
                self._long *= 0.95  # recovered from a long slow phase: forget it faster
        if in_use * 2 < self.limit and not failed:
            return self.limit
        ratio = 0.5 if failed else max(0.5, min(1.0, made.tolerance * self._long / max(took, 1e-9)))
        wanted = self._exact * ratio + (0.0 if failed else sqrt(self._exact))
        moved = self._exact * (1 - made.smoothing) + wanted * made.smoothing
        self._exact = min(float(made.maximum), max(float(made.minimum), moved))
        self.limit = int(self._exact)
        return self.limit

    def cut(self, took: float, in_use: int) -> int:
        """A call cut within its tolerance of the usual might have been in time: it says nothing."""
        usual = self.definition.tolerance * self._long
        return self.sample(took, in_use, failed=True) if took > usual else self.limit


AdaptiveLimit = AIMD | Gradient
