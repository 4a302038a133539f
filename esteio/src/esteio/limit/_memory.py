"""Limits kept in this process.

Promises: at most `max_keys` keys, however many are hit; a new key takes the place of one that is unused again, or
else of the one, among a few looked at, that would be soonest. Safe across threads; a forked child goes on with a
copy. Other processes count for themselves: `HostStore` is for several workers.
"""

# ruff: noqa: SLF001 - each microsecond has a thousand nanoseconds, and a call takes fifty of them

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from time import monotonic, sleep
from typing import Final

from esteio.clock import SYSTEM, Clock
from esteio.limit._algorithms import State
from esteio.limit._decision import Decision
from esteio.limit._group import decide_group
from esteio.limit._limit import SHORT_KEY, Hit, Limit, bounded_key, check_count, check_hit
from esteio.limit._time import microseconds, nanoseconds
from esteio.policy._forks import renew_after_fork

__all__ = ["MemoryStore"]

_LOOK = 8  # entries looked at to find a place
_STRIDE = 0x9E3779B1  # a prime: steps of it spread over a ring of any length and meet all of it
_SWEEP = 2  # entries looked at for each new key while there is room
_PAUSE = 50e-6  # seconds between two attempts to take an entry, which is held for about a microsecond
_LOST = 2.0  # seconds after which whoever held an entry was interrupted (Ctrl-C) and does not give it back

_blank = object.__new__

Identity = tuple[str, str]


class _Entry(list[None]):
    """What one key used of one limit, and the moment from which that is nothing.

    It holds one item while it is free; a new one is taken. `pop` takes it and `append` gives it back: both are atomic,
    with or without the interpreter's lock, and a `threading.Lock` would cost a fifth of a decision.
    """

    __slots__ = ("key", "scope", "state", "until")

    scope: str
    key: str
    state: State
    until: int


class MemoryStore:
    """Holds at most `max_keys` pairs of key and limit: about 350 bytes each, up to 5 kB for a full `window`."""

    remote: Final = False

    def __init__(self, max_keys: int = 100_000, *, clock: Clock = SYSTEM) -> None:
        check_count("max_keys", max_keys, _LOOK)
        self._max_keys = max_keys
        self._clock = microseconds(clock)
        self._clock_ns = nanoseconds(clock)
        self._lock = Lock()  # for adding and dropping entries; the state of an entry is whose who took it
        self._scopes: dict[str, dict[str, _Entry]] = {}
        self._latest: tuple[str, dict[str, _Entry]] = ("", {})  # the scope of the last hit: usually that of the next
        self._ring: list[_Entry] = []  # all entries once, to look at some
        self._hand = 0
        renew_after_fork(self)

    def renew(self) -> None:
        """In a forked child: the threads that held the lock, or an entry, are not there."""
        self._lock = Lock()
        for entry in self._ring:
            if not entry:
                entry.append(None)

    def __len__(self) -> int:
        """Pairs of key and limit that are held now."""
        return len(self._ring)

    # -- what a Store does

    def hit_now(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Decide one hit."""
        if type(key) is not str or type(cost) is not int or cost < 1 or not key:
            check_hit(key, cost)
        kept = key if len(key) <= SHORT_KEY else bounded_key(key)
        scope, entries = self._latest
        if scope is not limit.scope:
            entries = self._entries(limit.scope)
        try:
            entry = entries[kept]
            entry.pop()
        except (KeyError, IndexError):  # there is none, or another thread has it
            entry = self._take(limit, kept)
        decision = _blank(Decision)  # as `decided` does, without a call
        try:
            now = self._clock_ns() // 1000  # after it was taken, so that the times of one key are in order
            decision._verdict = verdict = limit.judge(entry.state, now, cost, limit)
            entry.state = verdict[0]
            entry.until = now + verdict[3]
        finally:
            entry.append(None)
        decision._limit = limit
        decision._key = key
        decision._cost = cost
        return decision

    def decide_now(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """Decide several hits, all or nothing."""
        places = [_identity(hit) for hit in hits]
        if not charge:
            return decide_group(hits, places, self._state, self._clock(), charge)[0]
        limits = dict(zip(places, (hit.limit for hit in hits), strict=True))
        taken: dict[Identity, _Entry] = {}
        try:
            for place in sorted(limits):  # all groups in one order, so that no two wait for each other
                taken[place] = self._take(limits[place], place[1])
            now = self._clock()
            decisions, kept = decide_group(hits, places, lambda place: taken[place].state, now, charge)
            for place, (state, reset) in kept.items():
                taken[place].state = state
                taken[place].until = now + reset
        finally:
            for entry in taken.values():
                entry.append(None)
        return decisions

    def refund_now(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back `cost`."""
        check_hit(key, cost)
        if self._state(_identity(Hit(key, limit))):
            entry = self._take(limit, bounded_key(key))
            try:
                entry.state = limit.rule.refund(entry.state, self._clock(), cost, limit)
            finally:
                entry.append(None)

    def reset_now(self, key: str, limit: Limit) -> None:
        """Forget what `key` used."""
        check_hit(key, 1)
        if self._state(_identity(Hit(key, limit))):
            entry = self._take(limit, bounded_key(key))
            entry.state = ()
            entry.until = 0  # its place is the first to be taken
            entry.append(None)

    # -- entries

    def _entries(self, scope: str) -> dict[str, _Entry]:
        entries = self._scopes.get(scope)
        if entries is None:
            return {}
        self._latest = scope, entries
        return entries

    def _state(self, place: Identity) -> State:
        entry = self._scopes.get(place[0], {}).get(place[1])
        return () if entry is None else entry.state

    def _take(self, limit: Limit, key: str) -> _Entry:
        """The entry of `key`, made where there is none; whoever takes it gives it back by `append(None)`."""
        lost = 0.0
        while True:
            with self._lock:
                entries = self._scopes.get(limit.scope)
                entry = None if entries is None else entries.get(key)
                if entries is None or entry is None:
                    return self._made(limit, key)
                self._latest = limit.scope, entries
            try:
                entry.pop()
            except IndexError:
                sleep(_PAUSE)
            else:
                return entry
            now = monotonic()
            lost = lost or now + _LOST
            if now > lost:  # interrupted between taking and giving back: its state is the one from before
                with self._lock:
                    if not entry:
                        entry.append(None)

    def _made(self, limit: Limit, key: str) -> _Entry:
        """A new entry, taken; in the place of another when all places are used."""
        ring, now = self._ring, self._clock()
        entry = _Entry()
        entry.scope = limit.scope
        entry.key = key
        entry.state = ()
        entry.until = now + limit.per_us
        full = len(ring) >= self._max_keys
        place = self._room(now, _LOOK if full else _SWEEP, must=full)
        if place is not None:
            self._drop(ring[place])
            ring[place] = entry
        elif full:
            return entry  # all places are held at this moment, by one large group: it is dropped at once
        else:
            ring.append(entry)
        entries = self._scopes.setdefault(limit.scope, {})
        entries[key] = entry
        self._latest = limit.scope, entries
        return entry

    def _drop(self, entry: _Entry) -> None:
        """Forget an entry that was taken for that; it is never given back, so who waits for it looks again."""
        entries = self._scopes[entry.scope]
        del entries[entry.key]
        if not entries:
            del self._scopes[entry.scope]

    def _room(self, now: int, looks: int, *, must: bool) -> int | None:
        """The place of an entry to drop, taken: the first that is stale, or when it `must` the soonest to be."""
        ring, hand = self._ring, self._hand
        size = len(ring)
        seen: list[int] = []
        for _ in range(min(looks, size)):
            hand = self._hand = (hand + _STRIDE) % size
            if ring[hand].until <= now and self._claim(hand, now):
                return hand
            seen.append(hand)
        if not must:
            return None
        soonest = sorted(seen, key=lambda place: ring[place].until)
        rest = (place for place in range(size) if place not in seen)
        return next((place for some in (soonest, rest) for place in some if self._claim(place)), None)

    def _claim(self, place: int, now: int | None = None) -> bool:
        """Take the entry there, unless somebody decides on it now, or it is not stale `now`."""
        entry = self._ring[place]
        try:
            entry.pop()
        except IndexError:
            return False
        if now is not None and entry.until > now:  # it was used between the look and this
            entry.append(None)
            return False
        return True


def _identity(hit: Hit) -> Identity:
    return hit.limit.scope, bounded_key(hit.key)
