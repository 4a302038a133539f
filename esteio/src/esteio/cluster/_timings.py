"""How long each part of a cluster waits for another, and what that means for who uses it. Pure.

Promises: a combination that Patroni would refuse, or that would make a primary step down for one slow answer of etcd, is a
ValueError. All other files take their times from here, so that the formula below is about what is really set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["DEFAULT", "Timings", "explain"]

_ASKING = 2.0
"""Seconds that a candidate waits for a member's position, fixed in Patroni (ha.py, fetch_node_status)."""
_PROMOTION = 1.0
"""Seconds that `pg_promote` takes on a standby that has replayed what it received."""
_POOL = 1.0
"""Seconds until the pool has found the new primary: it asks each standby every 0.25 to 0.5 s."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds; the first three are Patroni's, under the names it has for them."""

    ttl: int = 20
    """The leader's lease in etcd; 20 is the least that Patroni takes."""
    loop_wait: int = 1
    """Between two looks of each Patroni."""
    retry_timeout: int = 5
    """How long a failed request to etcd or PostgreSQL is repeated before the leader draws a conclusion."""
    silence: int = 1
    """How long data sent to a server may stay unacknowledged before its connection is given up (tcp_user_timeout)."""
    replication: int = 5
    """How long a standby, or its primary, may be silent before their connection is given up."""
    check: float = 0.5
    """Between two looks of HAProxy at a service; two that fail take it out."""
    advertisement: float = 0.5
    """Between two words of the holder of the address (VRRP); after three without one another takes it."""
    sentinel_down: int = 2
    """How long Redis may be silent before its Sentinels vote."""

    def __post_init__(self) -> None:
        least = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3, "silence": 1, "replication": 1, "sentinel_down": 1}
        for name, floor in least.items():
            if getattr(self, name) < floor:
                msg = f"{name}={getattr(self, name)}; allowed: {floor} seconds or more"
                raise ValueError(msg)
        if self.loop_wait + 2 * self.retry_timeout > self.ttl:
            renewal = self.loop_wait + 2 * self.retry_timeout
            msg = (
                f"loop_wait + 2 x retry_timeout = {renewal} s is more than ttl = {self.ttl} s: "
                "the lease would end while its holder still tries to renew it"
            )
            raise ValueError(msg)

    @property
    def writes_away(self) -> float:
        """Seconds without writes, at the worst, when the machine of the primary is gone."""
        return self.ttl + self.loop_wait + _ASKING + _PROMOTION + _POOL

    @property
    def writes_away_at_best(self) -> float:
        """The same, where the lease was last renewed as long ago as it ever is."""
        return self.ttl - self.loop_wait + _PROMOTION

    @property
    def server_away(self) -> float:
        """Seconds without writes when the server alone died: its Patroni sees it and lets another one lead."""
        return self.loop_wait + _PROMOTION + _POOL

    @property
    def reads_away(self) -> float:
        """Seconds until a read that was under way is asked of a replica instead."""
        return self.silence + _POOL

    @property
    def address(self) -> float:
        """Seconds until another node has the shared address: three advertisements and VRRP's skew of less than one."""
        return 4 * self.advertisement

    @property
    def pool_timeout(self) -> float:
        """Seconds that a write waits for a connection: it outlives the worst failover."""
        return self.writes_away + 5


DEFAULT = Timings()


def explain(timings: Timings = DEFAULT) -> str:
    """What the timings mean, for people: one line for each fault, with its sum."""
    return "\n".join(_lines(timings)) + "\n"


def _lines(t: Timings) -> Iterator[str]:
    alone = t.replication + t.loop_wait
    shared = t.sentinel_down + 3
    yield f"ttl {t.ttl} s, loop_wait {t.loop_wait} s, retry_timeout {t.retry_timeout} s; quorum commit, failsafe mode"
    yield ""
    yield "The primary's machine is gone:"
    yield f"  writes wait for at most   {t.writes_away:g} s"
    yield f"    = ttl {t.ttl} + loop_wait {t.loop_wait} + {_ASKING:g} asking members that are gone"
    yield f"      + {_PROMOTION:g} promotion + {_POOL:g} until the pool has found it"
    yield f"    and for at least        {t.writes_away_at_best:g} s: nobody may lead while the old lease could still be held"
    yield f"  reads wait for at most    {t.reads_away:g} s = tcp_user_timeout {t.silence} + {_POOL:g}; then replicas answer"
    yield f"  the shared address moves  within {t.address:g} s = 4 x advertisement {t.advertisement:g}, where it was there"
    yield "  lost                      nothing acknowledged: each COMMIT is on a second node's disk before it is"
    yield "                            a COMMIT under way may be unknown: its caller is told so, never that it is done"
    yield "The primary's server died, its machine lives:"
    yield f"  writes wait for at most   {t.server_away:g} s = loop_wait {t.loop_wait} + {_PROMOTION:g} promotion + {_POOL:g}"
    yield "                            another one leads; with no standby left it recovers where it is: seconds more"
    yield "Switchover:"
    yield "  writes wait for           the shutdown of the old primary and the promotion: 1 to 2 s; nothing fails"
    yield "A standby is gone:"
    yield "  nothing waits             any one of the other standbys confirms a COMMIT (quorum)"
    yield f"  with two data nodes       writes wait up to {alone} s (wal_sender_timeout + loop_wait)"
    yield "                            then the primary goes on alone: until the standby is back, losing the primary too"
    yield "                            loses what was written meanwhile"
    yield "All of etcd is gone:"
    yield "  the primary goes on       as long as it reaches the Patroni of every member (failsafe_mode)"
    yield "                            nobody is promoted until more than half of etcd is back"
    yield "Redis' primary is gone:"
    yield f"  limits are shared again   within {shared} s: {t.sentinel_down} s of silence and a vote"
    yield "                            until then each process allows its share"
