"""What the service acknowledged, and whether it is there afterwards."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

__all__ = ["Ledger", "LedgerCheck"]


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """The ledger beside what is stored. The first two must be empty."""

    missing: tuple[str, ...]
    """Acknowledged and not there."""
    doubled: tuple[str, ...]
    """There more than once."""
    unknown_stored: int
    """Without an acknowledgement, and there: done although nobody was told."""
    unknown_absent: int
    """Without an acknowledgement, and not there."""
    given_up: int = 0
    """Acknowledged, not there, and of the time that the fault may cost: the last second before a data directory vanished."""

    @property
    def holds(self) -> bool:
        """Whether nothing acknowledged is missing and nothing is there twice."""
        return not self.missing and not self.doubled


class Ledger:
    """Every write of the load: `key = ledger.begin()` before it is sent, `ledger.acknowledge(key)` when it was confirmed.

    The key has to be stored by the write itself, so that it can be found again.
    """

    def __init__(self) -> None:
        self._acknowledged: dict[str, float] = {}  # when
        self._begun: dict[str, float] = {}  # when
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(self._acknowledged)

    def begin(self) -> str:
        """A new key."""
        key = uuid4().hex
        self._begun[key] = time.monotonic()
        return key

    def acknowledge(self, key: str) -> None:
        """The service said that the write of `key` is done."""
        self._begun.pop(key, None)
        self._acknowledged[key] = time.monotonic()

    def settle(
        self,
        stored: Mapping[str, int],
        *,
        before: float = math.inf,
        undecided_for: float = 0.0,
        given_up_since: float = math.inf,
    ) -> LedgerCheck:
        """Compare with `stored`, how often each key is there; each defect is told once. Moments are of `time.monotonic`.

        What was found is expected to stay, also where nobody had been told that it was done. `before`: when `stored` was
        asked for, so that what was acknowledged later is left for the next time; `undecided_for`: seconds that a write
        may be under way, so that younger ones are left, too. Writes acknowledged from `given_up_since` on may be missing:
        the fault is allowed to cost them.
        """
        due = {key: when for key, when in self._acknowledged.items() if when < before}
        decided = [key for key, when in self._begun.items() if when < before - undecided_for]
        gone = {key: when for key, when in due.items() if not stored.get(key)}
        missing = tuple(sorted(key for key, when in gone.items() if when < given_up_since))
        doubled = tuple(sorted({key for key, times in stored.items() if times > 1} - self._told))
        found = [key for key in decided if key in stored]
        for key in gone:
            del self._acknowledged[key]
        for key in decided:
            del self._begun[key]
        self._acknowledged |= dict.fromkeys(found, time.monotonic())
        self._told.update(doubled)
        return LedgerCheck(missing, doubled, len(found), len(decided) - len(found), len(gone) - len(missing))
