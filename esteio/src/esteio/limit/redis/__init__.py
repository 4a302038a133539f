"""Limits that all instances share through Redis; needs the extra `redis`.

Promises: what `RedisStore` says. `REASONS` lists every `Decision.reason`, with what it means.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("redis"):
    import hiredis  # noqa: F401 - whether they are there
    import redis  # noqa: F401

from esteio.limit.redis._errors import REASONS, RedisAddressError
from esteio.limit.redis._shared import NodeSnapshot
from esteio.limit.redis._store import RedisSnapshot, RedisStore
from esteio.limit.redis._sync import SyncRedisStore

__all__ = ["REASONS", "NodeSnapshot", "RedisAddressError", "RedisSnapshot", "RedisStore", "SyncRedisStore"]
