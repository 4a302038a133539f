"""Decisions that wait in one turn of the event loop go to Redis together.

Promises: a batch has at most `most` units. `IN_FLIGHT` batches are on their way, so that others gather meanwhile; a
full batch has nothing to wait for and is sent while fewer than `FULL_IN_FLIGHT` are. Each unit is answered once, or
handed over: alone when it has waited for `wait` seconds although the server answers; all of them when a batch was
sent `wait` seconds ago and is not answered, which is a failure of the server. Time for which the event loop itself
did not run is not counted, since an answer may have lain there unread: where its turns are long, `wait` ends after
`TICKS` of them. A unit whose caller has gone before it was sent is not sent. A server that does not know the script
is sent it along with the same batch, which it has not touched. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

from redis.exceptions import NoScriptError

from esteio.limit._decision import Decision, decided
from esteio.limit.redis._connection import TICKS, Connection
from esteio.limit.redis._errors import RedisFailure, classify
from esteio.limit.redis._local import Memory
from esteio.limit.redis._script import Unit, answers, call

__all__ = ["FULL_IN_FLIGHT", "IN_FLIGHT", "Batches"]

IN_FLIGHT = 2
FULL_IN_FLIGHT = 4  # more would queue at a busy server, and count as its slowness
_LATE = 0.001  # seconds; less is what every timer is late
_GRAIN = 0.001  # seconds; units that are due within one of these are given up together, so that timers stay few
_GRACE = 1.125  # times `wait` for a unit on its way: one that was sent at once sees its server declared slow first


class _Batch:
    """Units that were sent together at `sent`, by `Batches.now`; the first `given_up` were handed over."""

    __slots__ = ("given_up", "sent", "units")

    def __init__(self, units: list[Unit]) -> None:
        self.units = units
        self.sent = inf
        self.given_up = 0

    def oldest(self) -> float:
        """Since when the oldest unit waits that was not given up; never, when all were."""
        return self.units[self.given_up].since if self.given_up < len(self.units) else inf


class Batches:
    """The units that wait, and the batches on their way over `connection`, when there is one."""

    def __init__(
        self,
        memory: Memory,
        now_us: Callable[[], int],
        on_failure: Callable[[RedisFailure], None],
        on_moved: Callable[[list[Unit]], None],
        on_late: Callable[[Unit], None],
        *,
        most: int,
        wait: float,
        declared: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._memory = memory
        self._now_us = now_us
        self._on_failure = on_failure
        self._on_moved = on_moved
        self._on_late = on_late
        self._most = most
        self._wait = wait
        self._tick = wait / TICKS
        self._declared = declared
        self._queue: deque[Unit] = deque()
        self._alone: deque[Unit] = deque()  # once sent elsewhere in vain, so that they do not spoil another batch
        self._in_flight: list[_Batch] = []
        self._scheduled = False
        self._turn = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._stood_still = 0.0  # seconds for which the loop was seen not to run
        self._looked = False  # whether what is due was due in the turn before, too
        self.connection: Connection | None = None
        self.batches = self.units = 0

    def __len__(self) -> int:
        """Units that wait to be sent."""
        return len(self._queue) + len(self._alone)

    def add(self, unit: Unit) -> None:
        """Send it with whatever else comes in this turn; its time runs from the first time it was added anywhere."""
        if not self._scheduled:
            self._schedule()
        if unit.since:  # it comes from another node, and has less time left
            unit.since -= self._stood_still
            self._alone.append(unit)
        else:
            unit.since = self._turn
            self._queue.append(unit)
        if self._timer is None:
            self._set_timer(self._turn + self._tick)

    def _schedule(self) -> None:
        """Flush at the end of this turn of the loop; all that is added until then came at this moment."""
        self._scheduled = True
        self._turn = self.now()
        self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what waits, as far as it may be on its way."""
        self._scheduled = False
        while self.connection is not None and self._may_send():
            units = [each for each in self._next_units() if each.waits()]
            if units:
                batch = _Batch(units)
                self._in_flight.append(batch)
                self.batches += 1
                self.units += len(units)
                self._send(batch, source=False)

    def _may_send(self) -> bool:
        in_flight = len(self._in_flight)
        if in_flight < IN_FLIGHT:
            return bool(self._queue or self._alone)
        return in_flight < FULL_IN_FLIGHT and len(self._queue) >= self._most

    def _next_units(self) -> list[Unit]:
        if self._alone:
            return [self._alone.popleft()]
        queue = self._queue
        return [queue.popleft() for _ in range(min(self._most, len(queue)))]

    def drain(self) -> list[Unit]:
        """All units, no longer waiting here; what was on its way may have been charged or not."""
        units = [*(each for batch in self._in_flight for each in batch.units), *self._alone, *self._queue]
        self._in_flight, self._alone, self._queue = [], deque(), deque()
        self._stop_timer()
        return [each for each in units if each.waits()]

    def _send(self, batch: _Batch, *, source: bool) -> None:
        assert self.connection is not None
        payload = call(batch.units, declared=self._declared, source=source)
        self.connection.send(payload, lambda answer: self._received(batch, answer))
        batch.sent = self.now()  # after the bytes were written: to pack them is no time of the server

    def _received(self, batch: _Batch, answer: Any) -> None:
        if batch not in self._in_flight:  # drained meanwhile: its units were decided elsewhere
            return
        if type(answer) is bytes:
            try:
                self._answer(batch, answer)
            except (ValueError, StopIteration) as error:
                self._on_failure(RedisFailure("corrupt", str(error) or "too few answers"))
                return
            self._in_flight.remove(batch)
            self._flush_soon()  # after those who were answered, so that their next hits come along
        elif isinstance(answer, NoScriptError) and self.connection is not None:
            self._send(batch, source=True)
        else:
            self._refused(batch, answer)

    def _refused(self, batch: _Batch, answer: Any) -> None:
        if not isinstance(answer, Exception):
            self._on_failure(RedisFailure("corrupt", f"{answer!r:.80}"))
            return
        found = classify(answer)
        if found.reason != "moved":
            self._on_failure(found)
            return
        self._in_flight.remove(batch)  # a refusal on account of one key; nothing was charged
        moved = [each for each in batch.units if each.waits()]
        for unit in moved:
            unit.since += self._stood_still  # by the loop's clock, since another node's differs from this one
        self._on_moved(moved)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if (self._queue or self._alone) and not self._scheduled:
            self._schedule()

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
                decisions.append(decided(((), allowed == 1, remaining, reset, retry), limit, key, cost))
            results.append(decisions)
        if next(rows, None) is not None:
            msg = "more answers than hits"
            raise ValueError(msg)
        for unit, decisions in zip(batch.units, results, strict=True):
            unit.settle(decisions)
        self._memory.turn()

    # -- time

    def now(self) -> float:
        """Seconds of the loop's clock, without the time for which the loop was seen not to run."""
        return self._loop.time() - self._stood_still

    def _check(self) -> None:
        self._timer = None
        try:
            self._look()
        finally:  # also when deciding here raised, which the loop logs: whoever waits must not wait for ever
            if self._timer is None and self._next_due() < inf:
                self._set_timer(self.now() + self._tick)

    def _look(self) -> None:
        """Count the time that passed, and give up what has waited for too long."""
        late = self.now() - self._due
        if late > _LATE:
            self._stood_still += late
        now = self.now()
        if self._next_due() > now:
            self._looked = False
        elif not self._looked:
            # What became readable until now is read in this turn and handed out in the next one, both before a timer
            # that is set here: an answer that was there in time is not taken for a late one.
            self._looked = True
            self._set_timer(now)
            return
        if self._slow(now):
            self._on_failure(RedisFailure("slow", f"no answer within {self._wait * 1000:.0f} ms"))
            return
        self._give_up(now + min(_GRAIN, self._tick))
        if (due := self._next_due()) < inf:
            self._set_timer(min(due, now + self._tick))

    def _slow(self, now: float) -> bool:
        """Whether the oldest batch waits for too long, or without a connection the oldest unit."""
        if self.connection is not None:
            return bool(self._in_flight) and self._in_flight[0].sent + self._wait <= now
        return any(queue and queue[0].since + self._wait <= now for queue in (self._alone, self._queue))

    def _give_up(self, now: float) -> None:
        """Hand over the units whose time is up at `now`; they are too many; the server is well."""
        if self.connection is None:
            return
        for batch in self._in_flight:
            while batch.oldest() + _GRACE * self._wait <= now:
                self._on_late(batch.units[batch.given_up])
                batch.given_up += 1
        for queue in (self._alone, self._queue):
            while queue and queue[0].since + self._wait <= now:
                self._on_late(queue.popleft())

    def _next_due(self) -> float:
        """When the next unit or batch is due."""
        dues = [queue[0].since + self._wait for queue in (self._alone, self._queue) if queue]
        dues += [batch.oldest() + _GRACE * self._wait for batch in self._in_flight]
        dues += [self._in_flight[0].sent + self._wait] if self._in_flight else []
        return min(dues, default=inf)

    def _set_timer(self, due: float) -> None:
        self._stop_timer()
        self._due = due
        self._timer = self._loop.call_at(due + self._stood_still, self._check)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
