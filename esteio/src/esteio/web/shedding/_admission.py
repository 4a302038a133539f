"""Which request runs, waits, or is refused. Pure and synchronous: time and the measured delay come in.

Promises: what runs is at most the limit, of which a level fills its share at most, so that a more important request finds
room however many less important ones there are. Levels with half of the limit or less are refused at once while the event
loop is late although the limit is near its minimum, and `interval` seconds longer: a share of places is no share of the
processor; and while their own queue or a more important one has not been empty for `interval` seconds, because waiting
would cost more than being told. Who waits is served by importance, and within a level in order of arrival; where the queue
of a level has not been empty for `interval` seconds, the newest first, because whoever waited long has given up or will
(CoDel, RFC 8289, and adaptive LIFO: Maurer, "Fail at Scale", ACM Queue 13(8), 2015). Nobody waits longer than the patience
of the level; at most `max_waiting` wait, and a newcomer takes the place of the oldest of the least important.

Of a level with `spacing` the next begins that many seconds after the last: where much that is heavy comes at once, all of it
would have begun before the first had shown what it costs. Who waits for that alone stands in nobody's way, and no queue
stands for it.

The limit follows the delay that the process itself causes - how late its event loop is - and not how long requests take:
a request that waits for somebody else costs nothing here. It shrinks by a tenth at each tick with more than `target`
seconds of delay, by half at more than twice that, and grows by a tenth when it was reached without delay (AIMD). So a
database that stands still, whose requests only wait, is no overload.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from esteio.errors import EsteioError

__all__ = ["Admission", "Entry", "Level", "LevelCounts", "SheddingError", "SheddingLimits", "Turn"]

_LESS, _MUCH_LESS, _MORE = 0.9, 0.5, 1.1
_LESSER = 0.5  # a level with this share or less does without while the loop is late


class SheddingError(EsteioError):
    """A level or a limit that cannot be: `setting`, `value`, `allowed`."""

    def __init__(self, setting: str, value: object, allowed: str) -> None:
        self.setting, self.value, self.allowed = setting, value, allowed
        super().__init__(f"{setting}={value!r}: {allowed}")


@dataclass(frozen=True, slots=True)
class Level:
    """One level of importance."""

    name: str
    share: float = 1.0
    """Of the limit, above 0 to 1: a request of this level begins only while less than that runs, of all levels."""
    patience: float = 1.0
    """Seconds that a request waits for its turn, at most."""
    spacing: float = 0.0
    """Seconds between two that begin: for requests that cost much, so that what one costs is seen before the next begins."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise SheddingError(f"share of level {self.name!r}", self.share, "above 0, at most 1")
        if not (self.patience > 0 and math.isfinite(self.patience)):
            raise SheddingError(f"patience of level {self.name!r}", self.patience, "seconds above 0, finite")
        if not 0 <= self.spacing < self.patience:
            raise SheddingError(
                f"spacing of level {self.name!r}", self.spacing, "seconds from 0, less than its patience"
            )


@dataclass(frozen=True, slots=True)
class SheddingLimits:
    """Of one process."""

    minimum: int = 16
    """Requests in flight that are let in however late the event loop is."""
    initial: int = 50
    """The limit at first, and to which it comes back when it is not used."""
    maximum: int = 500
    max_waiting: int = 200
    """With `maximum` below `esteio.serve.ConnectionLimits.requests`, 800, whose refusal knows no levels."""
    target: float = 0.025
    """Seconds that the event loop may be late."""
    interval: float = 0.5
    """Seconds after which a queue that was never empty counts as standing, and after which a late loop is forgiven."""

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= self.initial <= self.maximum:
            order = (self.minimum, self.initial, self.maximum)
            raise SheddingError("minimum, initial, maximum", order, "whole numbers from 1, in this order")
        if self.max_waiting < 1:
            raise SheddingError("max_waiting", self.max_waiting, "a whole number from 1")
        for name in ("target", "interval"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise SheddingError(name, value, "seconds above 0, finite")


class Turn(Enum):
    """What has become of a request."""

    RUNS = "runs"
    WAITS = "waits"
    REFUSED = "refused"
    ENDED = "ended"


class Entry:
    """A request: `turn` says how it stands; `wake` is called when one that waits runs or is refused."""

    __slots__ = ("level", "since", "turn", "wake")

    def __init__(self, level: int, since: float, turn: Turn) -> None:
        self.level = level
        self.since = since
        self.turn = turn
        self.wake: Callable[[], object] = _nobody

    def decided(self, turn: Turn) -> None:
        """It waits no longer."""
        self.turn = turn
        self.wake()


def _nobody() -> None:
    pass


@dataclass(slots=True)
class LevelCounts:
    """How many requests of a level were let in and refused so far."""

    admitted: int = 0
    refused: int = 0


class Admission:
    """`levels`, the least important first; the shares may not fall. Times are monotonic seconds."""

    def __init__(self, levels: Sequence[Level], limits: SheddingLimits = SheddingLimits()) -> None:
        names = [level.name for level in levels]
        if not levels or len(set(names)) < len(names):
            raise SheddingError("levels", names, "at least one, each with a name of its own")
        if any(a.share > b.share for a, b in pairwise(levels)):
            raise SheddingError("levels", names, "a more important level needs at least the share of a lesser one")
        self.levels = tuple(levels)
        self.limits = limits
        self.counts = tuple(LevelCounts() for _ in levels)
        self.running = 0
        self._exact = float(limits.initial)
        self._room: tuple[float, ...] = ()
        self._resize(self._exact)
        self._queues: tuple[deque[Entry], ...] = tuple(deque() for _ in levels)
        self._stands_since: list[float] = [math.inf] * len(levels)  # since when its queue has waited for room
        self._next: list[float] = [-math.inf] * len(levels)  # before then the spacing lets nobody begin
        self._reached = False
        self._late_at = -math.inf

    @property
    def limit(self) -> int:
        """Requests that may run at the same time, now."""
        return int(self._exact)

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return sum(map(len, self._queues))

    @property
    def idle(self) -> bool:
        """Whether nothing is to be watched: nobody waits, less runs than is always let in, the limit is where it began."""
        few = self.running < self.limits.minimum and self._exact == self.limits.initial
        return few and not any(self._queues)

    def enter(self, level: int, now: float) -> Entry:
        """A request of the level with this place in `levels`; it runs, waits or is refused."""
        entry = Entry(level, now, Turn.WAITS)
        if self._does_without(level, now):
            return self._refused(entry)
        room = self.running < self._room[level] and not self._anybody_ahead(level, now)
        if room and now >= self._next[level]:
            self._stands_since[level] = math.inf
            return self._begun(entry, now)
        self._reached = self._reached or not room
        if self.waiting >= self.limits.max_waiting and not self._make_room(level):
            return self._refused(entry)
        if not room:
            self._stands_since[level] = min(self._stands_since[level], now)
        self._queues[level].append(entry)
        return entry

    def presses(self, now: float) -> bool:
        """Whether anybody could be refused at once now; cheap, and asked for every request."""
        return now - self._late_at < self.limits.interval or any(self._queues)

    def turns_away(self, level: int, now: float) -> bool:
        """Whether a request of this level, which has no entry yet, is refused at once; counted then."""
        if not self._does_without(level, now):
            full = self.waiting >= self.limits.max_waiting
            if not full or any(self._queues[: level + 1]):
                return False
        self.counts[level].refused += 1
        return True

    def leave(self, entry: Entry, now: float) -> None:
        """A request has ended, or whoever waited has gone."""
        if entry.turn is Turn.RUNS:
            self.running -= 1
        elif entry.turn is Turn.WAITS:
            self._queues[entry.level].remove(entry)
        entry.turn = Turn.ENDED
        self._serve(now)

    def tick(self, delay: float, now: float) -> None:
        """Every 50 ms or so; `delay` seconds is how late the event loop was."""
        self._adapt(delay, now)
        for level, queue in zip(self.levels, self._queues, strict=True):
            while queue and now - queue[0].since > level.patience:
                self._refused(queue.popleft())
        self._serve(now)

    def _does_without(self, level: int, now: float) -> bool:
        """Whether it is a lesser level, and there is no time for those."""
        if self.levels[level].share > _LESSER:
            return False
        return now - self._late_at < self.limits.interval or any(
            self._queues[each] and now - self._stands_since[each] > self.limits.interval
            for each in range(level, len(self.levels))
        )

    def _anybody_ahead(self, level: int, now: float) -> bool:
        """Whether somebody of this level or a more important one waits, and not only for the spacing."""
        return any(self._queues[level:]) and any(
            self._queues[each] and now >= self._next[each] for each in range(level, len(self.levels))
        )

    def _serve(self, now: float) -> None:
        """Those whose turn has come, the most important first."""
        for level in range(len(self.levels) - 1, -1, -1):
            queue = self._queues[level]
            stands = now - self._stands_since[level] > self.limits.interval
            while queue and self.running < self._room[level] and now >= self._next[level]:
                self._begun(queue.pop() if stands else queue.popleft(), now)
            if queue and self.running >= self._room[level]:
                return  # what matters less has less room
            self._stands_since[level] = math.inf

    def _begun(self, entry: Entry, now: float) -> Entry:
        self.running += 1
        self._next[entry.level] = now + self.levels[entry.level].spacing
        self.counts[entry.level].admitted += 1
        entry.decided(Turn.RUNS)
        return entry

    def _refused(self, entry: Entry) -> Entry:
        self.counts[entry.level].refused += 1
        entry.decided(Turn.REFUSED)
        return entry

    def _make_room(self, level: int) -> bool:
        """Refuse the oldest of the least important that waits, unless it matters more than `level`."""
        for lesser in self._queues[: level + 1]:
            if lesser:
                self._refused(lesser.popleft())
                return True
        return False

    def _adapt(self, delay: float, now: float) -> None:
        limits = self.limits
        if delay > limits.target:
            # With little in flight the loop is late for others on the machine; once late, for a moment of its own.
            if self.running >= limits.minimum and self._exact <= 2 * limits.minimum:
                self._late_at = now
            self._resize(self._exact * (_MUCH_LESS if delay > 2 * limits.target else _LESS))
        elif self._reached:
            self._resize(max(self._exact + 1, self._exact * _MORE))
        elif self.running * 2 < self._exact > limits.initial:
            self._resize(max(limits.initial, self._exact * _LESS))  # what an outage or a burst made of it is forgotten
        elif self._exact < limits.initial:
            self._resize(min(limits.initial, self._exact * _MORE))
        self._reached = False

    def _resize(self, limit: float) -> None:
        self._exact = min(float(self.limits.maximum), max(float(self.limits.minimum), limit))
        # At least one of each level: a share of little is not nothing.
        self._room = tuple(max(1.0, level.share * int(self._exact)) for level in self.levels)
