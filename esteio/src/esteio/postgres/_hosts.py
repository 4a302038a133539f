"""The servers of one database: who may be asked, in which order, and what each is known to be.

Promises: a dead server is asked with growing, jittered pauses while the others go on, one of another role at steady
ones; who last had the wanted role is asked first; a server that fell behind a promotion is not taken for the primary.
Pure: time and randomness come in, nothing is connected here, and asyncio and threads use it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from math import inf
from threading import RLock
from typing import Concatenate, ParamSpec, TypeVar

from esteio.postgres._backoff import recheck_delay, reconnect_delay, role_delay
from esteio.postgres._errors import DatabaseUnavailable

__all__ = ["Fleet", "Host", "HostReport", "Role", "Target", "role_of"]

_TRUST_SECONDS = 30.0

P = ParamSpec("P")
R = TypeVar("R")


class Role(StrEnum):
    """What a server is, as far as known."""

    UNKNOWN = "unknown"
    PRIMARY = "primary"
    READ_ONLY = "read-only primary"
    STANDBY = "standby"


class Target(StrEnum):
    """libpq's `target_session_attrs`."""

    ANY = "any"
    READ_WRITE = "read-write"
    READ_ONLY = "read-only"
    PRIMARY = "primary"
    STANDBY = "standby"
    PREFER_STANDBY = "prefer-standby"

    def accepts(self, role: Role) -> bool:
        """Whether a session on a server of `role` is what was asked for; a server that does not tell is believed."""
        return role is Role.UNKNOWN or role in _ACCEPTED[self]


_ALL = frozenset(Role)
_ACCEPTED: dict[Target, frozenset[Role]] = {
    Target.ANY: _ALL,
    Target.READ_WRITE: frozenset({Role.PRIMARY}),
    Target.READ_ONLY: frozenset({Role.READ_ONLY, Role.STANDBY}),
    Target.PRIMARY: frozenset({Role.PRIMARY, Role.READ_ONLY}),
    Target.STANDBY: frozenset({Role.STANDBY}),
    Target.PREFER_STANDBY: _ALL,
}


def role_of(parameter: Callable[[bytes], bytes | None]) -> Role:
    """The role that a session's parameters tell, which the server keeps up to date by itself (PostgreSQL 14 on)."""
    standby = parameter(b"in_hot_standby")
    if standby == b"on":
        return Role.STANDBY
    if standby is None:
        return Role.UNKNOWN
    return Role.READ_ONLY if parameter(b"default_transaction_read_only") == b"on" else Role.PRIMARY


@dataclass(frozen=True, slots=True)
class HostReport:
    """What is known of one server at one moment."""

    address: str
    role: Role
    failures: int
    """Failed attempts since the last success."""
    down_for: float | None
    """Seconds since the first of them, or None."""
    error: str | None
    """Why the last of them failed."""


class Host:
    """One server; `conninfo` leads to it alone."""

    __slots__ = (
        "address",
        "conninfo",
        "down_since",
        "error",
        "failures",
        "refusal",
        "retry_at",
        "role",
        "takes_options",
    )

    def __init__(self, address: str, conninfo: str) -> None:
        self.address = address
        self.conninfo = conninfo
        self.role = Role.UNKNOWN
        self.failures = 0
        self.down_since: float | None = None
        self.retry_at = -inf
        self.error: str | None = None
        self.refusal: DatabaseUnavailable | None = None
        self.takes_options = True
        """Whether a session may begin with settings; PgBouncer refuses that by default."""


def _one_at_a_time(method: Callable[Concatenate[Fleet, P], R]) -> Callable[Concatenate[Fleet, P], R]:
    # Several threads may open connections at the same time, and each call reads and writes several fields.
    @wraps(method)
    def locked(fleet: Fleet, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with fleet.lock:
            return method(fleet, *args, **kwargs)

    return locked


class Fleet:
    """All servers of one database; for any number of threads."""

    def __init__(self, hosts: Iterable[Host], random: Callable[[], float]) -> None:
        self.hosts = tuple(hosts)
        self._random = random
        self.lock = RLock()
        self._system: int | None = None
        self._timeline = 0
        self._led_at = -inf

    @_one_at_a_time
    def candidates(self, target: Target, now: float) -> list[Host]:
        """The servers that may be asked now, the likeliest first."""
        ready = [host for host in self.hosts if host.retry_at <= now]
        return sorted(ready, key=lambda host: self._rank(host, target))  # stable: else in the URL's order

    @_one_at_a_time
    def wait(self, now: float) -> float:
        """Seconds until the next server may be asked; 0 when one may be now."""
        return max(0.0, min(host.retry_at for host in self.hosts) - now)

    @_one_at_a_time
    def connected(self, host: Host, role: Role, target: Target, now: float) -> bool:
        """`host` answered and is of `role`; whether that is what `target` asks for."""
        if role is Role.PRIMARY:
            for other in self.hosts:
                other.role = Role.UNKNOWN if other.role is Role.PRIMARY else other.role
        host.role = role
        if not target.accepts(role):
            self.failed(host, f"is a {role}, wanted: {target}", now)
            host.retry_at = now + role_delay(random=self._random)
            return False
        host.failures, host.down_since, host.retry_at = 0, None, -inf
        host.error = host.refusal = None
        return True

    @_one_at_a_time
    def failed(self, host: Host, error: str, now: float, refusal: DatabaseUnavailable | None = None) -> None:
        """An attempt to connect to `host` failed; `refusal` when trying again at once cannot help."""
        host.failures += 1
        host.error = error
        host.refusal = refusal
        if host.down_since is None:
            host.down_since = now
        pause = (
            reconnect_delay(host.failures, now - host.down_since, random=self._random)
            if refusal is None
            else recheck_delay(host.failures, random=self._random)
        )
        host.retry_at = now + pause

    @_one_at_a_time
    def leads(self, system: int, timeline: int, now: float) -> bool:
        """Whether a writable server with this identity is the primary, not one that a promotion left behind.

        When the newer one was last heard of 30 s ago the older is believed: somebody has restored a backup.
        """
        if system == self._system and timeline < self._timeline and now - self._led_at < _TRUST_SECONDS:
            return False
        self._system, self._timeline, self._led_at = system, timeline, now
        return True

    @_one_at_a_time
    def heard_of(self, system: int, timeline: int, now: float) -> None:
        """A writable server with this identity has answered."""
        if (system, timeline) == (self._system, self._timeline):
            self._led_at = now

    @_one_at_a_time
    def superseded_by(self, system: int, timeline: int) -> bool:
        """Whether a writable server with this identity was promoted after the one we write to."""
        return system == self._system and timeline > self._timeline

    @_one_at_a_time
    def refusal(self) -> DatabaseUnavailable | None:
        """Why there is no point in waiting: every server that answers refuses us."""
        answers = [host for host in self.hosts if host.error is not None]
        if len(answers) < len(self.hosts) or any(host.refusal is None for host in answers):
            return None
        return answers[0].refusal

    def report(self, now: float) -> tuple[HostReport, ...]:
        """What is known of each, in the URL's order."""
        return tuple(
            HostReport(
                host.address,
                host.role,
                host.failures,
                None if host.down_since is None else now - host.down_since,
                host.error,
            )
            for host in self.hosts
        )

    def _rank(self, host: Host, target: Target) -> tuple[int, bool]:
        if host.role is Role.UNKNOWN:
            fit = 1
        elif target is Target.PREFER_STANDBY:
            fit = 0 if host.role is Role.STANDBY else 2
        else:
            fit = 0 if target.accepts(host.role) else 2
        return fit, host.failures > 0
