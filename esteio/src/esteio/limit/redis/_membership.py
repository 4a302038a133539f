"""How many instances share the limits: each sends a heartbeat, and is told how many did.

Promises: an instance that goes is missed after `ttl` seconds; a number that falls is believed only after it stayed
low for `ttl` seconds, since right after an outage the others are on their way back. When Redis is away the last
number stands.
"""

from __future__ import annotations

from typing import Any

from esteio.limit.redis._script import packed

__all__ = ["Membership", "heartbeat", "leave"]

_HEARTBEAT = b"""
local time = redis.call('TIME')
local now, ttl = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ttl)
redis.call('PEXPIRE', KEYS[1], ttl)
return redis.call('ZCARD', KEYS[1])
"""


def heartbeat(key: str, me: str, ttl: float) -> bytes:
    """The command that says `me` is there; its answer is how many are."""
    return packed("EVAL", _HEARTBEAT, 1, key, me, round(ttl * 1000))


def leave(key: str, me: str) -> bytes:
    """The command that says `me` is gone."""
    return packed("ZREM", key, me)


class Membership:
    """The number of instances, as believed; `assumed` until Redis was heard."""

    def __init__(self, assumed: int, ttl: float) -> None:
        self.count = assumed
        self._ttl = ttl
        self._heard = False
        self._low_since: float | None = None

    def heard(self, answer: Any, now: float) -> int:
        """Take in a count at `now` seconds; what it says, whether or not it is believed already."""
        seen = max(1, int(answer))
        if seen >= self.count or not self._heard:
            self.count = seen
            self._low_since = None
        elif self._low_since is None:
            self._low_since = now
        elif now - self._low_since >= self._ttl:
            self.count = seen
            self._low_since = None
        self._heard = True
        return seen
