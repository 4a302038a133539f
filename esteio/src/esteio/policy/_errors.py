"""What a policy raises by itself.

Promises: `Rejected` and its kinds mean that the function was not called; `TimeoutExceeded` and
`DeadlineExceeded` mean that its time was up, and both are `TimeoutError`s too. Everything else that leaves
a pipeline is the function's own exception, untouched but for a note. Messages are made from the fields
when read, so that a rejection costs no formatting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esteio.errors import EsteioError

__all__ = [
    "NEVER_HANDLED",
    "BulkheadFull",
    "CircuitOpen",
    "DeadlineExceeded",
    "LoadShed",
    "PolicyError",
    "Rejected",
    "RetriesExhausted",
    "TimeoutExceeded",
    "Unguardable",
]


class PolicyError(EsteioError):
    """Base of what policies raise; `name` is the pipeline or the policy's own name."""

    name: str


class Rejected(PolicyError):
    """The call was not made. Not a failure of what would have been called, so no breaker counts it."""


class CircuitOpen(Rejected):
    """The circuit breaker let nothing through; `state` is the circuit's state in words.

    The fields are read from `args`: an open circuit may reject thousands of calls a second, and an
    `__init__` would double the cost of each.
    """

    if not TYPE_CHECKING:
        name = property(lambda self: self.args[0])
        state = property(lambda self: self.args[1])
        retry_after = property(lambda self: self.args[2])
    else:
        state: str

        def __init__(self, name: str, state: str, retry_after: float | None) -> None: ...

    def __str__(self) -> str:
        when = "by an operator; reset() closes it" if self.retry_after is None else f"try in {self.retry_after:.1f} s"
        return f"circuit {self.name!r} is {self.state}: not called; {when}"


class BulkheadFull(Rejected):
    """All places and all of the queue were taken, or the wait in the queue was too long."""

    def __init__(self, name: str, limit: int, queue: int, waited: float) -> None:
        self.name = name
        self.limit = limit
        self.queue = queue
        self.waited = waited

    def __str__(self) -> str:
        tried = (
            f"waited {self.waited:.3f} s in the queue of {self.queue}" if self.waited else f"queue of {self.queue} full"
        )
        return f"bulkhead {self.name!r}: {self.limit} calls at once is the limit, {tried}; not called, try later"


class LoadShed(Rejected):
    """Load was too high for the priority of this call."""

    def __init__(self, name: str, priority: str, load: float, allowed: float) -> None:
        self.name = name
        self.priority = priority
        self.load = load
        self.allowed = allowed

    def __str__(self) -> str:
        return (
            f"load shedder {self.name!r}: load {self.load:.2f} is at the limit {self.allowed:.2f} of priority "
            f"{self.priority}; not called, try later or raise the priority"
        )


class TimeoutExceeded(PolicyError, TimeoutError):
    """One call took longer than its Timeout; `abandoned` says that its thread still runs."""

    def __init__(self, name: str, limit: float, abandoned: bool = False) -> None:
        self.name = name
        self.limit = limit
        self.abandoned = abandoned

    def __str__(self) -> str:
        end = "abandoned: its thread still runs" if self.abandoned else "stopped"
        return f"timeout of {self.name!r}: no answer within {self.limit:g} s; {end}"


class DeadlineExceeded(PolicyError, TimeoutError):
    """The total time was used up; says nothing about the health of what was called."""

    def __init__(self, name: str, limit: float | None = None) -> None:
        self.name = name
        self.limit = limit

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" of {self.limit:g} s"
        return f"deadline{limit} of {self.name!r} has passed; stop working for this caller"


class RetriesExhausted(PolicyError):
    """Raised instead of the last error, or of the last unacceptable result, where `Retry(wrap=True)` asks for it."""

    def __init__(self, name: str, attempts: int, elapsed: float, result: object = None) -> None:
        self.name = name
        self.attempts = attempts
        self.elapsed = elapsed
        self.result = result

    def __str__(self) -> str:
        return f"{self.name!r} failed {self.attempts} times in {self.elapsed:.3f} s; the last failure is the cause"


class Unguardable(TypeError):
    """A function that no policy can guard was called through one: the programmer's mistake, so nothing handles it."""


NEVER_HANDLED = (StopIteration, StopAsyncIteration, Unguardable)
"""Exceptions that are neither retried nor counted nor answered, whatever a definition says."""
