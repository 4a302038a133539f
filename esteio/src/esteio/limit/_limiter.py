"""The limiter for coroutines, and what it shares with the one for threads.

Promises: a decision is a value, never an exception; only a key, cost or group that can't be raises `LimitError`.
With a store that answers at once nothing is awaited. Denials of a remote store are repeated from memory while they
hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.limit._decision import Decision, Decisions
from esteio.limit._denied import Denied
from esteio.limit._errors import LimitError
from esteio.limit._events import LimitDenied
from esteio.limit._limit import Hit, Limit, check_count, check_hit
from esteio.limit._memory import MemoryStore
from esteio.limit._store import Answered, AsyncStore, Store
from esteio.limit._time import microseconds

__all__ = ["MOST_HITS", "Limiter", "RateLimiter"]

MOST_HITS = 64
"""The most hits of one `hit_all`."""


class Limiter:
    """What both limiters do around their store."""

    def __init__(self, denied: int, shadow: bool, clock: Clock) -> None:
        check_count("denied", denied, 0)
        self.shadow = shadow
        self._denied = Denied(denied, microseconds(clock))

    def _refused(self, denial: Decision) -> Decision:
        """Tell of a denial, and lift it in shadow mode."""
        if events.active():
            events.emit(_denial(denial, self.shadow))
        return denial.in_shadow() if self.shadow else denial

    def _answered(self, decisions: list[Decision]) -> Decisions:
        if all(decisions):
            return Decisions(decisions)
        return Decisions([each if each else self._refused(each) for each in decisions])


def _denial(denial: Decision, shadow: bool) -> LimitDenied:
    raw = denial.key.encode("utf-8", "surrogatepass")
    digest = blake2b(raw, digest_size=8).hexdigest()
    return LimitDenied(str(denial.limit), digest, denial.cost, denial.retry_after, denial.degraded, shadow)


def checked(hits: Iterable[Hit]) -> list[Hit]:
    """The hits of one group, each of them possible."""
    group = [hit if type(hit) is Hit else Hit(*hit) for hit in hits]
    if not 1 <= len(group) <= MOST_HITS:
        raise LimitError("hits", f"{len(group)} hits", f"1 to {MOST_HITS} of them")
    for hit in group:
        check_hit(hit.key, hit.cost)
    return group


class RateLimiter(Limiter):
    """Decides hits of keys on limits, for coroutines.

    `store` keeps what was used (default: a new `MemoryStore`). `denied` is the number of known denials a remote
    store is spared. With `shadow` everything is counted and told, and nothing denied. Raises `LimitError` for a
    store that would block the event loop.
    """

    def __init__(
        self,
        store: Store | AsyncStore | None = None,
        *,
        denied: int = 100_000,
        shadow: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        super().__init__(denied, shadow, clock)
        self.store = store if store is not None else MemoryStore(clock=clock)
        self._hit_now: Callable[[str, Limit, int], Decision] | None = None
        self._remote = _awaitable(self.store)
        if isinstance(self._remote, Answered):
            self._hit_now = self._remote.store.hit_now

    async def hit(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Charge `cost` to `key` if `limit` has room for it. LimitError for an empty key or a cost below 1."""
        if self._hit_now is not None:
            decision = self._hit_now(key, limit, cost)
        else:
            known = self._known(key, limit, cost)
            decision = known if known is not None else await self._asked(key, limit, cost)
        return decision if decision._verdict[1] else self._refused(decision)  # noqa: SLF001 - `allowed`, without a call

    async def hit_all(self, hits: Iterable[Hit]) -> Decisions:
        """Charge all of them if all have room, else none: one atomic step of the store."""
        group = checked(hits)
        if self._hit_now is not None:
            return self._answered(await self._remote.decide(group, charge=True))
        decisions = self._denied.find_group(group)
        if decisions is None:
            generation = self._denied.generation
            decisions = await self._remote.decide(group, charge=True)
            self._denied.note_group(group, decisions, generation)
        return self._answered(decisions)

    async def peek(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """What `hit` would decide now, without charging: `remaining` is what is left before it."""
        return (await self._remote.decide(checked([Hit(key, limit, cost)]), charge=False))[0]

    async def refund(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back what a hit charged, while it still counts; never below zero use."""
        check_hit(key, cost)
        try:
            await self._remote.refund(key, limit, cost)
        finally:  # who is cancelled here may have given back all the same
            self._denied.forget(key, limit)

    async def reset(self, key: str, limit: Limit) -> None:
        """Forget all that `key` used of `limit`."""
        check_hit(key, 1)
        try:
            await self._remote.reset(key, limit)
        finally:
            self._denied.forget(key, limit)

    # -- remote stores

    def _known(self, key: str, limit: Limit, cost: int) -> Decision | None:
        if type(key) is not str or type(cost) is not int or cost < 1 or not key:
            check_hit(key, cost)
        return self._denied.find(key, limit, cost)

    async def _asked(self, key: str, limit: Limit, cost: int) -> Decision:
        generation = self._denied.generation
        decision = (await self._remote.decide((Hit(key, limit, cost),), charge=True))[0]
        if not decision:
            self._denied.note(decision, generation)
        return decision


def _awaitable(store: Store | AsyncStore) -> AsyncStore:
    if isinstance(store, AsyncStore):
        return store
    if not isinstance(store, Store) or store.remote:
        raise LimitError(
            "store", store, "one that is awaited or answers at once; SyncRateLimiter takes those that block"
        )
    return Answered(store)
