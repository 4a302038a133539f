"""One operation of one client, and the list that they are noted in."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["History", "Known", "Operation", "Outcome", "Verdict"]


class Outcome(StrEnum):
    """What the client knows of an operation."""

    OK = "ok"
    """Acknowledged: done between the call and the return."""
    FAILED = "failed"
    """Refused: certainly not done, now or later."""
    UNKNOWN = "unknown"
    """No answer: done at some moment after the call, or never."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`what` was asked with `value`; `answer` is what came back. Times are of one monotonic clock, in seconds."""

    what: str
    value: Any
    called: float
    returned: float
    outcome: Outcome = Outcome.OK
    answer: Any = None
    client: int = 0

    @property
    def ends(self) -> float:
        """Until when it may take effect."""
        return self.returned if self.outcome is Outcome.OK else math.inf


@dataclass(frozen=True, slots=True)
class Verdict:
    """`valid` is None where the bounds of the search were met first; `problems` says what no correct service does."""

    valid: bool | None
    problems: tuple[str, ...] = ()
    checked: int = 0
    """Operations that were looked at."""

    @classmethod
    def of(cls, problems: list[str], checked: int) -> Verdict:
        """Invalid where there are problems; the first ten are kept."""
        return cls(not problems, tuple(problems[:10]), checked)


class Known(Exception):
    """Raised by what `History.note` calls: the operation was refused, and certainly not done."""


@dataclass(slots=True)
class History:
    """What clients note; one for each register, one for a set, one for a bank."""

    operations: list[Operation] = field(default_factory=list)

    async def note(self, what: str, value: Any, call: Callable[[], Awaitable[Any]], *, client: int = 0) -> Outcome:
        """Await `call()` and note what became of it: its answer, `Known` as refused, any other error as unknown.

        An operation that is cancelled is noted as unknown, and the cancellation goes on.
        """
        called, outcome, answer = time.monotonic(), Outcome.UNKNOWN, None
        try:
            answer = await call()
            outcome = Outcome.OK
        except Known:
            outcome = Outcome.FAILED
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody knows whether it was done
            answer = f"{type(error).__name__}: {error}"
        finally:
            self.operations.append(Operation(what, value, called, time.monotonic(), outcome, answer, client))
        return outcome
