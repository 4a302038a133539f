"""What is decided while the store that all share can't be asked, as `on_failure` of each limit says. Pure.

Promises: `closed` denies, `open` lets pass, `local` says what this process' share of the limit says; every such decision
is degraded, with the reason. A cost above what the limit ever allows is denied by all three.
"""

from __future__ import annotations

from esteio.limit._algorithms import NEVER
from esteio.limit._decision import Decision, noted
from esteio.limit._limit import Hit

__all__ = ["is_denied_anyway", "on_failure"]

_SOON_US = 1_000_000  # when to ask again where nobody knows


def is_denied_anyway(hit: Hit) -> bool:
    """Whether `hit` is denied whatever was used, so that nothing of its group may be charged."""
    return hit.limit.on_failure == "closed" or hit.cost > hit.limit.capacity


def on_failure(hit: Hit, share: Decision | None, reason: str) -> Decision:
    """The decision on `hit`; `share` is the one on this process' share where `on_failure` is `local`, else None."""
    key, limit, cost = hit
    possible = cost <= limit.capacity
    if share is not None:
        allowed, remaining, reset, retry = share.allowed, share.remaining, share.reset_us, share.retry_us
        if retry == NEVER and possible:  # more than the share, but not more than the limit
            retry = max(reset, _SOON_US)
    elif limit.on_failure == "open":
        allowed, reset, retry = possible, 0, 0 if possible else NEVER
        remaining = limit.capacity - (cost if possible else 0)
    else:
        allowed, remaining, reset, retry = False, 0, 0, _SOON_US if possible else NEVER
    return noted(((), allowed, remaining, reset, retry), limit, key, cost, reason)
