"""Decisions that wait in one turn of the event loop go to Redis together.

Promises: at most `IN_FLIGHT` batches of at most `most` units are on their way; each unit is answered once, or handed
over when there is trouble. A batch that is not answered within `wait` seconds of its oldest unit is trouble. Whose
caller has gone before it was sent is not sent. A server that does not know the script is sent it along with the
same batch, which it has not touched. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import hiredis

from esteio.limit._decision import Decision
from esteio.limit.redis._errors import Trouble, trouble
from esteio.limit.redis._local import Memory
from esteio.limit.redis._script import Unit, answers, call
from esteio.limit.redis._wire import Wire

__all__ = ["IN_FLIGHT", "Batches"]

IN_FLIGHT = 2
_LATE = 0.005  # a timer later than this says that the loop stood still: the answer may be here, unread


class _Batch:
    __slots__ = ("since", "units")

    def __init__(self, units: list[Unit], since: float) -> None:
        self.units = units
        self.since = since


class Batches:
    """The units that wait, and the batches on their way over `wire`, when there is one."""

    def __init__(
        self,
        memory: Memory,
        now_us: Callable[[], int],
        on_trouble: Callable[[Trouble], None],
        on_moved: Callable[[list[Unit]], None],
        *,
        most: int,
        wait: float,
        declared: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._memory = memory
        self._now_us = now_us
        self._on_trouble = on_trouble
        self._on_moved = on_moved
        self._most = most
        self._wait = wait
        self._declared = declared
        self._queue: list[Unit] = []
        self._alone: list[Unit] = []  # once sent elsewhere in vain, so that they do not spoil another batch
        self._since = 0.0
        self._flying: list[_Batch] = []
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.wire: Wire | None = None
        self.batches = self.units = 0

    def __len__(self) -> int:
        """Units that wait to be sent."""
        return len(self._queue) + len(self._alone)

    def add(self, unit: Unit) -> None:
        """Send it with whatever else comes in this turn."""
        if not self._queue and not self._alone:
            self._since = self._loop.time()
            if self._timer is None:
                self._set_timer(self._since + self._wait)
        (self._alone if unit.moved else self._queue).append(unit)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what waits, as far as it may be on its way."""
        self._scheduled = False
        while self.wire is not None and len(self._flying) < IN_FLIGHT and (self._queue or self._alone):
            units = [each for each in self._taken() if each.waits()]
            if units:
                batch = _Batch(units, self._since)
                self._flying.append(batch)
                self.batches += 1
                self.units += len(units)
                self._send(batch, source=False)

    def _taken(self) -> list[Unit]:
        if self._alone:
            return [self._alone.pop(0)]
        taken, self._queue = self._queue[: self._most], self._queue[self._most :]
        return taken

    def drain(self) -> list[Unit]:
        """All units, no longer waiting here; what was on its way may have been charged or not."""
        units = [each for batch in self._flying for each in batch.units] + self._alone + self._queue
        self._flying, self._alone, self._queue = [], [], []
        self._stop_timer()
        return [each for each in units if each.waits()]

    def _send(self, batch: _Batch, *, source: bool) -> None:
        assert self.wire is not None
        payload = call(batch.units, declared=self._declared, source=source)
        self.wire.send(payload, lambda answer: self._received(batch, answer))

    def _received(self, batch: _Batch, answer: Any) -> None:
        if batch not in self._flying:
            return
        if type(answer) is bytes:
            try:
                self._answer(batch, answer)
            except (ValueError, StopIteration) as error:
                self._on_trouble(Trouble("corrupt", str(error) or "too few answers"))
                return
            self._flying.remove(batch)
            self._flush_soon()  # after those who were answered, so that their next hits come along
        elif isinstance(answer, hiredis.ReplyError) and str(answer).startswith("NOSCRIPT") and self.wire is not None:
            self._send(batch, source=True)
        else:
            self._refused(batch, answer)

    def _refused(self, batch: _Batch, answer: Any) -> None:
        if not isinstance(answer, Exception):
            self._on_trouble(Trouble("corrupt", f"{answer!r:.80}"))
            return
        found = trouble(answer)
        if found.reason != "moved":
            self._on_trouble(found)
            return
        self._flying.remove(batch)  # a refusal on account of one key; nothing was charged
        self._on_moved([each for each in batch.units if each.waits()])
        self._flush_soon()

    def _flush_soon(self) -> None:
        if (self._queue or self._alone) and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def _answer(self, batch: _Batch, answer: bytes) -> None:
        rows = answers(answer)
        known = self._memory.young
        now = self._now_us()
        results: list[list[Decision]] = []
        for unit in batch.units:
            decisions = []
            for (key, limit, cost), name in zip(unit.hits, unit.names, strict=True):
                allowed, remaining, reset, retry = next(rows)
                if allowed > 1 or not 0 <= remaining <= limit.capacity:
                    msg = f"allowed={allowed} remaining={remaining} of {limit}"
                    raise ValueError(msg)
                known[name] = (limit, remaining, reset, now)
                decisions.append(Decision((allowed == 1, limit, key, cost, remaining, reset, retry, "", False)))
            results.append(decisions)
        if next(rows, None) is not None:
            msg = "more answers than hits"
            raise ValueError(msg)
        for unit, decisions in zip(batch.units, results, strict=True):
            unit.settle(decisions)
        self._memory.turn()

    # -- time

    def _oldest(self) -> float | None:
        if self._flying:
            return self._flying[0].since
        return self._since if self._queue or self._alone else None

    def _check(self) -> None:
        self._timer = None
        oldest = self._oldest()
        if oldest is None:
            return
        now = self._loop.time()
        due = oldest + self._wait
        if now < due:
            self._set_timer(due)
        elif now - self._due > _LATE:
            self._set_timer(now)
        else:
            self._on_trouble(Trouble("slow", f"no answer within {self._wait * 1000:.0f} ms"))

    def _set_timer(self, due: float) -> None:
        self._due = due
        self._timer = self._loop.call_at(due, self._check)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
