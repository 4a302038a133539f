"""What a worker decides by itself while a set of the file can't be locked.

Promises: as each limit's `on_failure` says - `local` counts this worker's share in its own memory, `closed`
denies, `open` lets pass - and every such decision is degraded, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from esteio.limit._algorithms import NEVER
from esteio.limit._decision import Decision, noted
from esteio.limit._limit import Hit
from esteio.limit._memory import MemoryStore

__all__ = ["REASON", "Alone"]

REASON = "a worker of this host holds the lock and stands still"
_AGAIN_US = 1_000_000  # when to try again where nothing better is known


class Alone:
    """Decides with this worker's share of `workers`."""

    def __init__(self, memory: MemoryStore, workers: int) -> None:
        self._memory = memory
        self._workers = workers

    def decide(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """All or nothing, as in the file."""
        local = [hit for hit in hits if hit.limit.on_failure == "local"]
        shut = any(hit.limit.on_failure == "closed" or hit.cost > hit.limit.capacity for hit in hits)
        shares = [hit._replace(limit=hit.limit.share(self._workers)) for hit in local]
        said = iter(self._memory.decide_now(shares, charge=charge and not shut))
        return [_local(hit, next(said)) if hit.limit.on_failure == "local" else _stated(hit) for hit in hits]


def _local(hit: Hit, share: Decision) -> Decision:
    """What the share says, about the limit itself."""
    key, limit, cost = hit
    retry = share.retry_us
    if retry == NEVER and cost <= limit.capacity:
        retry = _AGAIN_US  # too much for a share only
    return noted(((), share.allowed, share.remaining, share.reset_us, retry), limit, key, cost, REASON)


def _stated(hit: Hit) -> Decision:
    """`open` or `closed`."""
    key, limit, cost = hit
    if cost > limit.capacity:
        return noted(((), False, limit.capacity, 0, NEVER), limit, key, cost, REASON)
    if limit.on_failure == "open":
        return noted(((), True, limit.capacity - cost, 0, 0), limit, key, cost, REASON)
    return noted(((), False, 0, _AGAIN_US, _AGAIN_US), limit, key, cost, REASON)
