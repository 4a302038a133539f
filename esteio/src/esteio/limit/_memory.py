"""Limits kept in this process.

Promises: at most `max_keys` keys, however many are hit; a new key takes the place of one that is unused again, or
else of the one, among a few looked at, that would be soonest. Safe across threads; a forked child goes on with a
copy. Other processes count for themselves: `HostStore` is for several workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Final

from esteio.clock import SYSTEM, Clock
from esteio.limit._decision import Decision
from esteio.limit._group import decide_group
from esteio.limit._limit import SHORT_KEY, Hit, Limit, bounded_key, check_count, check_hit
from esteio.limit._time import microseconds, nanoseconds
from esteio.limit.algorithms import State
from esteio.policy._forks import renew_after_fork

__all__ = ["MemoryStore"]

_LOOK = 8  # entries looked at to find a place
_STRIDE = 0x9E3779B1  # a prime: steps of it spread over a ring of any length and meet all of it
_SWEEP = 2  # entries looked at for each new key while there is room

Identity = tuple[str, str]


class _Entry:
    """What one key used of one limit, and the moment from which that is nothing."""

    __slots__ = ("state", "until")

    def __init__(self) -> None:
        self.state: State = ()
        self.until = 0


class MemoryStore:
    """Holds at most `max_keys` pairs of key and limit: about 350 bytes each, up to 5 kB for a full `window`."""

    remote: Final = False

    def __init__(self, max_keys: int = 100_000, *, clock: Clock = SYSTEM) -> None:
        check_count("max_keys", max_keys, _LOOK)
        self._max_keys = max_keys
        self._clock = microseconds(clock)
        self._clock_ns = nanoseconds(clock)
        self._lock = Lock()
        self._entries: dict[Identity, _Entry] = {}
        self._ring: list[Identity] = []  # all identities once, to look at some
        self._hand = 0
        renew_after_fork(self)

    def renew(self) -> None:
        """In a forked child: the thread that held the lock is not there."""
        self._lock = Lock()

    def __len__(self) -> int:
        """Pairs of key and limit that are held now."""
        return len(self._entries)

    # -- what a Store does

    def hit_now(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Decide one hit."""
        if type(key) is not str or type(cost) is not int or cost < 1 or not key:
            check_hit(key, cost)
        identity = (limit.scope, key if len(key) <= SHORT_KEY else bounded_key(key))
        now = self._clock_ns() // 1000
        with self._lock:
            entry = self._entries.get(identity)
            if entry is None:
                entry = self._new(identity, now)
            state, allowed, remaining, reset, retry = limit.judge(entry.state, now, cost, limit)
            entry.state = state
            entry.until = now + reset
        return Decision((allowed, limit, key, cost, remaining, reset, retry, "", False))

    def decide_now(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """Decide several hits, all or nothing."""
        now = self._clock()
        with self._lock:
            decisions, kept = decide_group(hits, [_identity(hit) for hit in hits], self._state, now, charge)
            for identity, (state, reset) in kept.items():
                entry = self._entries.get(identity) or self._new(identity, now)
                entry.state = state
                entry.until = now + reset
        return decisions

    def refund_now(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back `cost`."""
        check_hit(key, cost)
        now = self._clock()
        with self._lock:
            entry = self._entries.get(_identity(Hit(key, limit)))
            if entry is not None:
                entry.state = limit.rule.refund(entry.state, now, cost, limit)

    def reset_now(self, key: str, limit: Limit) -> None:
        """Forget what `key` used."""
        check_hit(key, 1)
        with self._lock:
            entry = self._entries.get(_identity(Hit(key, limit)))
            if entry is not None:
                entry.state = ()
                entry.until = 0  # its place is the first to be taken

    # -- places

    def _state(self, identity: Identity) -> State:
        entry = self._entries.get(identity)
        return () if entry is None else entry.state

    def _new(self, identity: Identity, now: int) -> _Entry:
        """An entry for `identity`, which has none."""
        full = len(self._ring) >= self._max_keys
        place = self._make_room(now, _LOOK if full else _SWEEP, must=full)
        if place is None:
            self._ring.append(identity)
        else:
            del self._entries[self._ring[place]]
            self._ring[place] = identity
        entry = self._entries[identity] = _Entry()
        return entry

    def _make_room(self, now: int, looks: int, *, must: bool) -> int | None:
        """The place of an entry to drop: the first that is stale, or when it `must` the soonest to be."""
        ring, entries, hand = self._ring, self._entries, self._hand
        size = len(ring)
        best = soonest = -1
        for _ in range(min(looks, size)):
            hand = (hand + _STRIDE) % size
            until = entries[ring[hand]].until
            if until <= now:
                best = hand
                break
            if must and (best < 0 or until < soonest):
                best, soonest = hand, until
        self._hand = hand
        return best if best >= 0 else None


def _identity(hit: Hit) -> Identity:
    return hit.limit.scope, bounded_key(hit.key)
