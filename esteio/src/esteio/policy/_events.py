"""What policies tell: frozen records, sent through `esteio.events` after every lock is released."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = [
    "AttemptFailed",
    "CallRejected",
    "CallTimedOut",
    "CircuitChanged",
    "CircuitWouldOpen",
    "FallbackUsed",
    "Hedged",
    "LateResult",
    "LimitChanged",
    "Recovered",
    "RetriesGaveUp",
    "StaleServed",
]


@dataclass(frozen=True, slots=True)
class AttemptFailed(Event):
    """Attempt number `attempt` failed; the next one follows after `wait` seconds. `error` is None for a result."""

    attempt: int
    attempts: int | None
    wait: float
    error: Exception | None


@dataclass(frozen=True, slots=True)
class RetriesGaveUp(Event):
    """The last attempt failed, for `reason`: attempts, deadline, budget, retry_after."""

    attempts: int
    elapsed: float
    reason: str
    error: Exception | None


@dataclass(frozen=True, slots=True)
class Recovered(Event):
    """A call succeeded after at least one failed attempt."""

    attempts: int
    elapsed: float


@dataclass(frozen=True, slots=True)
class CircuitChanged(Event):
    """A circuit went from one state to another; `reason` in words, `open_for` in seconds when it opened."""

    before: str
    after: str
    reason: str
    open_for: float | None = None


@dataclass(frozen=True, slots=True)
class CircuitWouldOpen(Event):
    """A circuit in METRICS_ONLY reached its threshold."""

    reason: str


@dataclass(frozen=True, slots=True)
class CallRejected(Event):
    """A policy (`breaker`, `bulkhead`, `shedder`) did not let a call through."""

    policy: str


@dataclass(frozen=True, slots=True)
class CallTimedOut(Event):
    """A timeout or deadline of `limit` seconds stopped a call."""

    policy: str
    limit: float


@dataclass(frozen=True, slots=True)
class LateResult(Event):
    """A synchronous call returned after its time limit; its result was kept."""

    limit: float
    elapsed: float


@dataclass(frozen=True, slots=True)
class Hedged(Event):
    """Another copy of a slow call was started; `copies` run now."""

    copies: int


@dataclass(frozen=True, slots=True)
class FallbackUsed(Event):
    """The fallback answered instead of the call."""

    error: Exception


@dataclass(frozen=True, slots=True)
class StaleServed(Event):
    """The cache answered with a value `age` seconds old because the call failed."""

    age: float
    error: Exception


@dataclass(frozen=True, slots=True)
class LimitChanged(Event):
    """The adaptive limit of a bulkhead moved."""

    before: int
    after: int
