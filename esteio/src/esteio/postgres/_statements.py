"""How often each statement ran, how long it took, how often it failed.

Promises: an execution costs one entry in a list, which is counted when it has grown or somebody looks; the
number of statements and the memory for their texts are bounded, and what no longer fits is counted under
`OTHER`, so that sums stay true. Values never get here. For any number of threads.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import RLock

from esteio.postgres._fingerprint import fingerprint, normalised
from esteio.postgres._histogram import Histogram, Times

__all__ = ["OTHER", "StatementStats", "Statements"]

OTHER = "other"
# Counting many at once is cheaper than one after each statement, between two waits for the server; the entries keep the
# texts of their statements alive, so there are not too many of them.
_PENDING = 64
_TEXT_BUDGET = 2_000_000  # characters of statements whose fingerprint is remembered


@dataclass(frozen=True, slots=True)
class StatementStats:
    """One statement's numbers at one moment, since the pool was made."""

    fingerprint: str
    """Sixteen hexadecimal digits; `other` for all that were too many."""
    text: str
    """The statement without values."""
    times: Times
    """Seconds as the caller saw them, waiting for the event loop included."""
    errors: int
    """Executions that raised; they count in `times` too."""


class _Statement(Histogram):
    __slots__ = ("before", "errors", "fingerprint", "text")

    def __init__(self, text: str, name: str) -> None:
        super().__init__()
        self.text = text
        self.fingerprint = name
        self.errors = 0
        self.before = 0  # executions when room was last made


class Statements:
    """The statements of one database, at most `limit` of them by name."""

    def __init__(self, limit: int = 500) -> None:
        self._limit = max(8, limit)
        self._known: dict[str, _Statement] = {}
        self._by_text: dict[str, _Statement] = {}
        self._characters = 0
        # Appending and taking are atomic: a lock is needed only for counting.
        self._lock = RLock()  # snapshot() counts too
        self._pending: deque[tuple[str, float, bool]] = deque()
        self._other = _Statement("all that were too many to be told apart", OTHER)

    def observe(self, sql: str, seconds: float, failed: bool = False) -> None:
        """Count one execution of `sql`."""
        self._pending.append((sql, seconds, failed))
        if len(self._pending) >= _PENDING:
            self.count()

    def count(self) -> None:
        """Count all executions so far."""
        with self._lock:
            while self._pending:
                sql, seconds, failed = self._pending.popleft()
                statement = self._by_text.get(sql) or self._find(sql)
                statement.observe(seconds)
                statement.errors += failed

    def snapshot(self) -> tuple[StatementStats, ...]:
        """All statements, those that took the most time first."""
        with self._lock:
            self.count()
            found = [*self._known.values(), *([self._other] if any(self._other.buckets) else [])]
            found.sort(key=lambda statement: statement.seconds, reverse=True)
            return tuple(StatementStats(s.fingerprint, s.text, s.times(), s.errors) for s in found)

    def _find(self, sql: str) -> _Statement:
        text = normalised(sql)
        name = fingerprint(text)
        statement = self._known.get(name)
        if statement is None:
            if len(self._known) >= self._limit:
                self._make_room()
            statement = self._known[name] = _Statement(text, name)
        self._remember(sql, statement)
        return statement

    def _remember(self, sql: str, statement: _Statement) -> None:
        if self._characters + len(sql) > _TEXT_BUDGET:
            self._forget_texts()
        if len(sql) <= _TEXT_BUDGET:
            self._by_text[sql] = statement
            self._characters += len(sql)

    def _forget_texts(self) -> None:
        self._by_text.clear()
        self._characters = 0

    def _make_room(self) -> None:
        """Count the quarter that was least active since the last time under `OTHER`."""
        ran = {name: sum(statement.buckets) for name, statement in self._known.items()}
        by_activity = sorted(self._known.values(), key=lambda s: (ran[s.fingerprint] - s.before, s.seconds))
        for statement in by_activity[: self._limit // 4]:
            del self._known[statement.fingerprint]
            self._other.add(statement)
            self._other.errors += statement.errors
        for name, statement in self._known.items():
            statement.before = ran[name]
        self._forget_texts()
