"""The limiter for threads and plain functions.

Promises: the same answers as `RateLimiter`; safe to share between threads as far as its store is, and all stores
of Esteio are.
"""

from __future__ import annotations

from collections.abc import Iterable

from esteio.clock import SYSTEM, Clock
from esteio.limit._decision import Decision, Decisions
from esteio.limit._errors import LimitError
from esteio.limit._limit import Hit, Limit, check_hit
from esteio.limit._limiter import Limiter, checked
from esteio.limit._memory import MemoryStore
from esteio.limit._store import Store

__all__ = ["SyncRateLimiter"]


class SyncRateLimiter(Limiter):
    """Decides hits of keys on limits; parameters as of `RateLimiter`, with a store that answers at once."""

    def __init__(
        self, store: Store | None = None, *, denied: int = 100_000, shadow: bool = False, clock: Clock = SYSTEM
    ) -> None:
        super().__init__(denied, shadow, clock)
        if store is not None and not isinstance(store, Store):
            raise LimitError("store", store, "a store that answers at once; RateLimiter takes the one that is awaited")
        self.store = store if store is not None else MemoryStore(clock=clock)
        self._is_remote = self.store.remote
        self._answer = self._remote_hit if self._is_remote else self.store.hit_now

    def hit(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Charge `cost` to `key` if `limit` has room for it. LimitError for an empty key or a cost below 1."""
        decision = self._answer(key, limit, cost)
        return decision if decision._verdict[1] else self._refused(decision)  # noqa: SLF001 - `allowed`, without a call

    def hit_all(self, hits: Iterable[Hit]) -> Decisions:
        """Charge all of them if all have room, else none: one atomic step of the store."""
        group = checked(hits)
        decisions = self._denied.find_group(group) if self._is_remote else None
        if decisions is None:
            generation = self._denied.generation
            decisions = self.store.decide_now(group, charge=True)
            if self._is_remote:
                self._denied.note_group(group, decisions, generation)
        return self._answered(decisions)

    def peek(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """What `hit` would decide now, without charging: `remaining` is what is left before it."""
        return self.store.decide_now(checked([Hit(key, limit, cost)]), charge=False)[0]

    def refund(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back what a hit charged, while it still counts; never below zero use."""
        check_hit(key, cost)
        self.store.refund_now(key, limit, cost)
        self._denied.forget(key, limit)

    def reset(self, key: str, limit: Limit) -> None:
        """Forget all that `key` used of `limit`."""
        check_hit(key, 1)
        self.store.reset_now(key, limit)
        self._denied.forget(key, limit)

    def _remote_hit(self, key: str, limit: Limit, cost: int) -> Decision:
        if type(key) is not str or type(cost) is not int or cost < 1 or not key:
            check_hit(key, cost)
        known = self._denied.find(key, limit, cost)
        if known is not None:
            return known
        generation = self._denied.generation
        decision = self.store.hit_now(key, limit, cost)
        if not decision:
            self._denied.note(decision, generation)
        return decision
