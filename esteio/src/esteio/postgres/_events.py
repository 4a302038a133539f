"""Events of failovers, of transactions that ran again, and of commits whose answer was lost."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event
from esteio.postgres._outcome import Outcome

__all__ = ["CommitResolved", "FailedOver", "TransactionRetried"]


@dataclass(frozen=True, slots=True)
class FailedOver(Event):
    """Writes now go to another server than before."""

    before: str
    now: str


@dataclass(frozen=True, slots=True)
class TransactionRetried(Event):
    """A function given to `run`, or a statement that may be repeated, runs again after `wait` seconds."""

    attempt: int
    reason: str
    wait: float


@dataclass(frozen=True, slots=True)
class CommitResolved(Event):
    """The answer to a COMMIT was lost, and this is what became of it."""

    xid: int
    outcome: Outcome
