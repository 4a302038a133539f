"""How long to wait before each next attempt. Pure: randomness comes in.

Promises: the cap is applied first and the jitter after it, so callers at the cap do not march together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice, repeat
from math import inf, log
from typing import Literal

from esteio.policy._parameters import factor, function, seconds

__all__ = ["Backoff", "Constant", "Exponential", "Jitter", "as_backoff", "longest", "waits"]

Jitter = Literal["full", "decorrelated", "none"]
Backoff = Iterable[float] | Callable[[], Iterable[float]]


@dataclass(frozen=True, slots=True)
class Exponential:
    """`initial`, then `factor` times longer each time, at most `cap` seconds.

    The default begins with a tenth of a second, as stamina does: three attempts then wait at most 0.3 s, which a caller
    with a deadline of a second can afford. Where nobody waits for the answer, begin with 1 s or more.
    """

    initial: float = 0.1
    factor: float = 2.0
    cap: float = 30.0

    def __post_init__(self) -> None:
        seconds("Exponential", "initial", self.initial)
        factor("Exponential", "factor", self.factor)
        seconds("Exponential", "cap", self.cap)
        if self.cap < self.initial:
            msg = f"Exponential: cap={self.cap} is below initial={self.initial}; raise the cap"
            raise ValueError(msg)

    def __iter__(self) -> Iterator[float]:
        return map(self.step, count())

    def step(self, number: int) -> float:
        """Seconds of wait `number`, from 0, without jitter."""
        growths = log(self.cap / self.initial, self.factor) if self.factor > 1 else inf
        if number >= growths:  # looked at first: the power overflows after years of failures
            return self.cap
        return min(self.initial * self.factor**number, self.cap)


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same number of seconds; 0 is allowed."""

    wait: float = 1.0

    def __post_init__(self) -> None:
        seconds("Constant", "wait", self.wait, zero=True)

    def __iter__(self) -> Iterator[float]:
        return repeat(self.wait)


def as_backoff(value: object) -> Backoff:
    """What a user passed, checked: an iterable that can be started again for each call, or a maker of them."""
    if isinstance(value, Exponential | Constant):
        return value
    if callable(value):
        function("Retry", "backoff", value)
        return value
    if isinstance(value, int | float):
        return Constant(value)
    if isinstance(value, Iterator) or not isinstance(value, Iterable):
        msg = (
            f"Retry: backoff={value!r} can't be started again for the next call; "
            "pass seconds, a list of seconds, Exponential(...) or a function that returns an iterator"
        )
        raise TypeError(msg)
    fixed = tuple(seconds("Retry", "backoff", wait, zero=True) for wait in value)
    if not fixed:
        msg = "Retry: backoff=[] says nothing; pass at least one number of seconds"
        raise ValueError(msg)
    return fixed


def _steps(backoff: Backoff) -> Iterator[float]:
    if isinstance(backoff, Iterable):  # checked when built, and never empty
        last = 0.0
        for last in backoff:
            yield last
        yield from repeat(last)
        return
    made = None
    for step in backoff():
        yield (made := seconds("Retry", "backoff", step, zero=True))
    if made is None:
        msg = f"Retry: backoff={backoff!r} returned nothing to wait; have it yield at least one number of seconds"
        raise ValueError(msg)
    yield from repeat(made)


def waits(backoff: Backoff, jitter: Jitter, random: Callable[[], float]) -> Iterator[float]:
    """Seconds before attempt 2, 3, ...; a finite back-off repeats its last step.

    full: uniform in [0, step]. decorrelated: uniform in [first step, 3 times the wait before], where the
    upper end is capped by the back-off's own cap (both after Brooker, "Exponential Backoff And Jitter", 2015).
    """
    steps = _steps(backoff)
    if jitter == "none":
        yield from steps
    elif jitter == "full":
        for step in steps:
            yield step * random()
    else:
        first = next(steps)
        cap = getattr(backoff, "cap", None) or max(chain([first], islice(_steps(backoff), 32)))
        before = first
        while True:
            upper = max(first, min(cap, before * 3))
            before = first + (upper - first) * random()
            yield before


def longest(backoff: Backoff, jitter: Jitter, number: int) -> float:
    """The most that `number` waits can last together, in seconds."""
    return sum(islice(waits(backoff, jitter, lambda: 1.0), number))
