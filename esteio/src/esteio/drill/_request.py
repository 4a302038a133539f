"""One request of the load: what is asked, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Outcome", "Request", "Route", "WrongAnswer"]


class Outcome(StrEnum):
    """What became of a request. All but GOOD count as lost."""

    GOOD = "good"
    ERROR = "error"
    """Refused, reset, or answered with an error."""
    LATE = "late"
    """No answer within the deadline of its route."""
    WRONG = "wrong"
    """Answered as if it were good, with something that is not true."""


class WrongAnswer(Exception):
    """The service said success and gave something else than it was asked for; raised by a route's `request`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request: `request(number)` is awaited `rate` times a second and raises where it failed."""

    name: str
    rate: float
    request: Callable[[int], Awaitable[object]]
    deadline: float = 5.0
    """Seconds within which the answer is of use; longer is lost."""
    write: bool = False
    """Whether it changes something, so that without an answer nobody knows if it did."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was made. Times are seconds of `time.monotonic`."""

    route: str
    write: bool
    due: float
    """When its time had come: what the rate says, not when a busy generator got to it."""
    answered: float
    outcome: Outcome
    why: str = ""

    @property
    def good(self) -> bool:
        """Whether it was answered right and in time."""
        return self.outcome is Outcome.GOOD

    @property
    def took(self) -> float:
        """Seconds from when it was due to its answer."""
        return self.answered - self.due
