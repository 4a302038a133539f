"""What a limiter asks of a store.

Two kinds. A `Store` answers at once (memory, or a file all workers map); an `AsyncStore` has to be waited for.
Both decide several hits in one atomic step, all or nothing. `remote` says that asking costs a round trip, so
that a limiter keeps known denials at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from esteio.limit._decision import Decision
from esteio.limit._limit import Hit, Limit

__all__ = ["Answered", "AsyncStore", "Store"]


@runtime_checkable
class Store(Protocol):
    """Answers at once; safe to call from several threads."""

    @property
    def remote(self) -> bool:
        """Whether asking costs a round trip."""
        ...

    def hit_now(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Decide one hit; LimitError for a key or cost that can't be."""
        ...

    def decide_now(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """Decide hits that `check_hit` has seen: all are charged or, when one is denied or not `charge`, none."""
        ...

    def refund_now(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back what a hit charged."""
        ...

    def reset_now(self, key: str, limit: Limit) -> None:
        """Forget all that `key` used of `limit`."""
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """Has to be waited for; belongs to one event loop."""

    @property
    def remote(self) -> bool:
        """Whether asking costs a round trip."""
        ...

    async def decide(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """Decide hits that `check_hit` has seen: all are charged or, when one is denied or not `charge`, none."""
        ...

    async def refund(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back what a hit charged."""
        ...

    async def reset(self, key: str, limit: Limit) -> None:
        """Forget all that `key` used of `limit`."""
        ...


class Answered:
    """A `Store` as an `AsyncStore`: when it is awaited it has answered already."""

    remote = False

    def __init__(self, store: Store) -> None:
        self.store = store

    async def decide(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """`decide_now`."""
        return self.store.decide_now(hits, charge=charge)

    async def refund(self, key: str, limit: Limit, cost: int = 1) -> None:
        """`refund_now`."""
        self.store.refund_now(key, limit, cost)

    async def reset(self, key: str, limit: Limit) -> None:
        """`reset_now`."""
        self.store.reset_now(key, limit)
