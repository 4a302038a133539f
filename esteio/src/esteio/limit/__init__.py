"""Rate limits that are exact, fast, and shared by everyone who has to keep them.

Promises: several limits are decided in one atomic step, all or nothing; memory per key is bounded; a decision
says what is left and when more will be. Stores: `MemoryStore` for one process, `HostStore` for the processes of
one host, `esteio.limit.redis` for all instances (needs the extra `redis`). The core has no dependencies. Errors:
`LimitError` for values that can't be, `HostStoreError` for a file that can't be shared; a denial is an answer.
"""

from __future__ import annotations

from esteio.limit._decision import Decision, Decisions
from esteio.limit._errors import HostStoreError, LimitError
from esteio.limit._events import LimitDenied, LimitsDegraded, LimitsRestored
from esteio.limit._limit import Hit, Limit
from esteio.limit._limiter import RateLimiter
from esteio.limit._memory import MemoryStore
from esteio.limit._policy import RateLimit, RateLimited
from esteio.limit._store import AsyncStore, Store
from esteio.limit._sync import SyncRateLimiter
from esteio.limit.host import HostStore

__all__ = [
    "AsyncStore",
    "Decision",
    "Decisions",
    "Hit",
    "HostStore",
    "HostStoreError",
    "Limit",
    "LimitDenied",
    "LimitError",
    "LimitsDegraded",
    "LimitsRestored",
    "MemoryStore",
    "RateLimit",
    "RateLimited",
    "RateLimiter",
    "Store",
    "SyncRateLimiter",
]
