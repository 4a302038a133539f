"""From when something is an alert: one table for the checks, for `esteio.alert` and for the rules of Prometheus. Pure.

Promises: a number stands here and nowhere else. What the same alert waits and how urgent it is, is the same here and in
Prometheus, which looks once a minute: nothing is shorter there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["BURN_WINDOWS", "PACES", "THRESHOLDS", "BurnWindow", "Pace", "Thresholds"]

Urgency = Literal["page", "ticket"]
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What alerts compare with. The defaults are those of the guide that this project took over, or of the checks."""

    objective: float = 99.9
    """Percent of the requests that are to be answered without an error of the service, over 30 days."""
    fast: float = 99.0
    """Percent of the requests that are to take at most `slow_seconds`, over 30 days."""
    slow_seconds: float = 1.0
    memory_bytes: float = 400e6
    """Of each worker."""
    cpu: float = 0.8
    """Of one processor, of each worker."""
    database_seconds: float = 1.0
    """A round trip to the database."""
    errors: float = 0.05
    """Share of the requests, over five minutes."""
    disk_full: float = 2.0
    """Percent that is free."""
    disk_low: float = 10.0
    disk_days: float = 7.0
    """Until the disk is full at the rate of the last two days."""
    certificate_days: float = 21.0
    """For which it is valid."""
    certificate_last_days: float = 3.0
    clock_seconds: float = 2.0
    """That the clock is off."""
    backup_seconds: float = 26 * _HOUR
    """Age of the newest backup, and of the newest one that was proven."""
    wal_bytes: float = 256e6
    """WAL that is not in the archive, or at a replica, yet."""

    def __post_init__(self) -> None:
        if not 0 < self.objective < 100:
            msg = f"objective={self.objective}: it is a percentage; give one above 0 and below 100, such as 99.9"
            raise ValueError(msg)


THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class Pace:
    """How urgent the alert `name` is, and for how many seconds it has to be bad; `rule` is its name in Prometheus."""

    name: str
    rule: str
    severity: Urgency
    lasting: float


PACES = {
    each.name: each
    for each in (
        Pace("postgres:down", "EsteioDatabaseDown", "page", 10.0),
        Pace("postgres:slow", "EsteioDatabaseSlow", "ticket", 5 * _MINUTE),
        Pace("requests:errors", "EsteioErrors", "page", 10.0),
        Pace("memory:high", "EsteioMemory", "ticket", 5 * _MINUTE),
        Pace("cpu:high", "EsteioCpu", "ticket", 5 * _MINUTE),
        Pace("circuit:open", "EsteioCircuitOpen", "ticket", _MINUTE),
        Pace("disk:full", "EsteioDiskPage", "page", 10.0),
        Pace("disk:low", "EsteioDiskTicket", "ticket", 5 * _MINUTE),
        Pace("tls:refused", "EsteioCertificatePage", "page", _MINUTE),
        Pace("tls:certificate", "EsteioCertificateTicket", "ticket", 5 * _MINUTE),
        Pace("backup:failing", "EsteioBackupProblems", "ticket", 2 * _MINUTE),
        Pace("wal:failing", "EsteioWalBehind", "ticket", 2 * _MINUTE),
    )
}
"""By the alert's name: those that both know."""


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """The share `spent` of the budget of 30 days is gone within `long` seconds, and it still goes in the last `short`."""

    name: str
    spent: float
    long: float
    short: float
    severity: Urgency

    @property
    def factor(self) -> float:
        """How many times faster than the budget lasts that is."""
        return self.spent * 30 * _DAY / self.long


# Google, The Site Reliability Workbook (2018), chapter 5, table 5-8; the day of the third line is Sloth's.
BURN_WINDOWS = (
    BurnWindow("1h", 0.02, _HOUR, 5 * _MINUTE, "page"),
    BurnWindow("6h", 0.05, 6 * _HOUR, 30 * _MINUTE, "page"),
    BurnWindow("1d", 0.10, _DAY, 2 * _HOUR, "ticket"),
    BurnWindow("3d", 0.10, 3 * _DAY, 6 * _HOUR, "ticket"),
)
