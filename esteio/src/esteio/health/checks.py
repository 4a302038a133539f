"""Checks for what services stand on.

Promises: each has a time limit. A probe that can only block - a disk, a name, a handshake - runs in a thread of its own; while
that hangs the next one fails at once instead of hanging beside it. What checks say is public: it names no address, path or
user.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from esteio.clock import SYSTEM, Clock
from esteio.health._blocking import BlockingProbe
from esteio.health._check import Check, Observed, Status, Unwell
from esteio.health._clock_sources import http_clock, ntp_clock
from esteio.health._history_file import FIVE_MINUTES
from esteio.health._history_reader import HistoryReader
from esteio.health._host_checks import replication, watched, workers
from esteio.metrics import THRESHOLDS

__all__ = [
    "backup",
    "certificates",
    "clock",
    "directory",
    "disk",
    "dns",
    "freshness",
    "heartbeat",
    "http",
    "http_clock",
    "ntp_clock",
    "postgres",
    "process",
    "redis",
    "replication",
    "tcp",
    "tls",
    "watched",
    "workers",
]

_DAY = 86_400.0
_AGENT_SILENT = 300.0  # seconds; it writes every minute
_FORECAST_AFTER = 3600.0  # seconds a disk is watched before anything is said of the days that are left


class _Pings(Protocol):
    name: str

    async def ping(self, timeout: float = 1.0) -> float: ...


def postgres(
    database: _Pings, *, name: str = "postgres:responseTime", warn_above: float = 500.0, timeout: float = 0.8
) -> Check:
    """Milliseconds of a round trip to the server of `database`, the wait for a connection included."""

    async def probe() -> float:
        return await database.ping(timeout=timeout - 0.1) * 1000

    return Check(name, probe, timeout=timeout, warn_above=warn_above)


def redis(
    ping: Callable[[], Awaitable[object]], *, name: str = "redis:responseTime", warn_above: float = 100.0,
    essential: bool = False,
) -> Check:  # fmt: skip
    """Milliseconds that `ping` takes, such as that of a client of redis-py."""

    async def probe() -> float:
        began = time.perf_counter()
        await ping()
        return (time.perf_counter() - began) * 1000

    return Check(name, probe, warn_above=warn_above, essential=essential)


def http(
    url: str, *, name: str, expect: int = 200, timeout: float = 0.8, warn_above: float | None = None,
    essential: bool = True, context: ssl.SSLContext | None = None,
) -> Check:  # fmt: skip
    """Milliseconds until `url` answered; FAIL unless its status is `expect`. Follows no redirect, heeds no proxy.

    `context`: how a certificate is verified, where not as browsers do.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"http check {name!r}: url={url!r}; give http:// or https:// with a host"
        raise ValueError(msg)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"

    def ask() -> float:
        began = time.perf_counter()
        host = parts.hostname or ""
        connection = (
            HTTPSConnection(host, parts.port, timeout=timeout, context=context)
            if parts.scheme == "https"
            else HTTPConnection(host, parts.port, timeout=timeout)
        )
        try:
            connection.request("GET", target, headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read(65_536)
        finally:
            connection.close()
        taken = (time.perf_counter() - began) * 1000
        if answer.status != expect:
            raise Unwell(f"answered {answer.status}, not {expect}", observed=taken)
        return taken

    return Check(name, BlockingProbe(ask, name), timeout=timeout, warn_above=warn_above, essential=essential)


def tcp(host: str, port: int, *, name: str, timeout: float = 0.8, essential: bool = True) -> Check:
    """Milliseconds until a connection was accepted."""

    async def probe() -> float:
        began = time.perf_counter()
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return (time.perf_counter() - began) * 1000

    return Check(name, probe, timeout=timeout, essential=essential)


def tls(
    host: str, port: int = 443, *, name: str = "tls:certificate", warn_below: float = THRESHOLDS.certificate_days,
    fail_below: float = THRESHOLDS.certificate_last_days,
    context: ssl.SSLContext | None = None, timeout: float = 0.8, essential: bool = False, server_name: str = "",
) -> Check:  # fmt: skip
    """Days for which the certificate of `host` is valid; FAIL as well when a client that checks it would refuse it.

    `server_name`: whom it has to be for, where that is not `host`.
    Asked once a minute: a renewal that went wrong keeps everybody out, however long the one before was valid.
    """

    def ask() -> float:
        days = _days_valid((host, port), context or ssl.create_default_context(), server_name, timeout)
        return _low(days, warn_below, fail_below, f"valid for {days:.1f} days more")

    return Check(name, BlockingProbe(ask, name), unit="days", timeout=timeout, cache=60.0, essential=essential)


def certificates(
    nodes: Sequence[tuple[str, int]], context: Callable[[], ssl.SSLContext | None], *, name: str = "tls:cluster",
    warn_below: float = THRESHOLDS.certificate_days, fail_below: float = THRESHOLDS.certificate_last_days,
    timeout: float = 0.8, essential: bool = False,
) -> Check:  # fmt: skip
    """Days for which the first to end of the certificates of `nodes` is valid, as `tls`; who is silent has none to look at.

    `context` is asked each time: what is shown to the nodes may have been renewed meanwhile.
    """

    def ask() -> float:
        believing = context() or ssl.create_default_context()
        found, silent = [], OSError("nobody is asked")
        for each in nodes:
            try:
                found.append(_days_valid(each, believing, "", timeout / len(nodes)))
            except OSError as error:
                silent = error
        if not found:
            raise silent
        return _low(min(found), warn_below, fail_below, f"valid for {min(found):.1f} days more")

    return Check(name, BlockingProbe(ask, name), unit="days", timeout=timeout, cache=60.0, essential=essential)


def _days_valid(where: tuple[str, int], context: ssl.SSLContext, name: str, timeout: float) -> float:
    try:
        with (
            socket.create_connection(where, timeout=timeout) as plain,
            context.wrap_socket(plain, server_hostname=name or where[0]) as secured,
        ):
            certificate = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise Unwell(f"the certificate is refused: {error.verify_message}") from error
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / _DAY


def dns(host: str, *, name: str = "dns:responseTime", timeout: float = 0.8, essential: bool = False) -> Check:
    """Milliseconds until the name was resolved."""

    def ask() -> float:
        began = time.perf_counter()
        try:
            socket.getaddrinfo(host, None)
        except socket.gaierror as error:
            raise Unwell("the name cannot be resolved") from error
        return (time.perf_counter() - began) * 1000

    return Check(name, BlockingProbe(ask, name), timeout=timeout, cache=10.0, essential=essential)


def disk(
    path: str | Path, *, name: str = "disk:free", warn_below: float = THRESHOLDS.disk_low,
    fail_below: float = THRESHOLDS.disk_full, warn_days: float = THRESHOLDS.disk_days, keep: int = 0,
    essential: bool = True, history: HistoryReader | None = None, clock: Clock = SYSTEM,
) -> Check:  # fmt: skip
    """Percent of the file system of `path` that is free for this account; `parts` has the `days left` where they are known.

    A directory that is still to be made counts as the one it will be in. FAIL below `fail_below`, without a free inode, or
    with fewer than `keep` bytes free, at which somebody (`esteio.postgres.DiskRoom`) stops writing;
    WARN below `warn_below`, or when it will be full within `warn_days`, by the least squares of the last 48 hours: of the
    `history`, which a `HostMonitor` writes, or those that this check has seen itself.
    """
    seen: deque[tuple[float, float]] = deque(maxlen=48)
    place = next(each for each in (Path(path).absolute(), *Path(path).absolute().parents) if each.exists())

    def points(percent: float) -> list[tuple[float, float]]:
        now = clock.monotonic()
        if history is not None and (known := history.minutes(clock.time() - 2 * _DAY, FIVE_MINUTES).get(name)):
            return [(point.at - clock.time() + now, point.average) for point in known] + [(now, percent)]
        if not seen or now - seen[-1][0] >= _FORECAST_AFTER:
            seen.append((now, percent))
        return [*seen, (now, percent)]

    def ask() -> float:
        try:
            usage = shutil.disk_usage(place)
        except FileNotFoundError as error:
            raise Unwell("the directory is gone") from error
        percent = 100.0 * usage.free / usage.total if usage.total else 0.0
        days = _days_left(points(percent))
        observed = Observed(percent, {} if days is None else {"days left": days})
        if hasattr(os, "statvfs") and (inodes := os.statvfs(place)).f_files and not inodes.f_favail:
            raise Unwell("no file can be made: all inodes are in use", observed=observed)
        if usage.free < keep:
            told = f"{usage.free >> 20} MiB free of the {keep >> 20} that are kept: nothing more is written"
            raise Unwell(told, observed=observed)
        until = "" if days is None else f", full in {days:.1f} days at this rate"
        _low(observed, warn_below, fail_below, f"{percent:.1f} % free{until}")
        if days is not None and days < warn_days:
            raise Unwell(f"{percent:.1f} % free{until}", observed=observed, status=Status.WARN)
        return observed

    return Check(name, BlockingProbe(ask, name), unit="percent", essential=essential, clock=clock)


def _days_left(points: Sequence[tuple[float, float]]) -> float | None:
    """When the line of least squares through moments and percents reaches 0; None when it does not fall, or nobody knows."""
    if points[-1][0] - points[0][0] < _FORECAST_AFTER:
        return None
    count, free = len(points), points[-1][1]
    middle, height = sum(at for at, _ in points) / count, sum(value for _, value in points) / count
    spread = sum((at - middle) ** 2 for at, _ in points)
    slope = sum((at - middle) * (value - height) for at, value in points) / spread
    if slope >= 0:
        return None
    return free / -slope / _DAY


def directory(path: str | Path, *, name: str, essential: bool = False) -> Check:
    """Whether a directory that was there still is, as one for backups has to be: 1, or 0 before it is made."""
    seen = False

    def ask() -> float:
        nonlocal seen
        if Path(path).is_dir():
            seen = True
        elif seen:
            raise Unwell("the directory is gone")
        return float(seen)

    return Check(name, BlockingProbe(ask, name), unit="directories", essential=essential)


def clock(
    reference: Callable[[], Awaitable[float]] | None = None, *, name: str = "clock:offset",
    warn_above: float = THRESHOLDS.clock_seconds,
    fail_above: float = 60.0, essential: bool = False, clock: Clock = SYSTEM,
) -> Check:  # fmt: skip
    """Seconds that this machine's clock is off: from `reference`, Unix seconds such as the database's; without one, how far it

    leapt since the check was made.
    """
    began = clock.time() - clock.monotonic()

    async def probe() -> float:
        if reference is None:
            return abs(clock.time() - clock.monotonic() - began)
        before = clock.time()
        theirs = await reference()
        return abs(theirs - (before + clock.time()) / 2)  # the middle of the round trip, as NTP does

    return Check(
        name,
        probe,
        unit="s",
        cache=10.0,
        warn_above=warn_above,
        fail_above=fail_above,
        essential=essential,
        clock=clock,
    )


def freshness(
    when: Callable[[], float | None], *, name: str, warn_above: float | None = None, fail_above: float | None = None,
    essential: bool = False, clock: Clock = SYSTEM, what: str = "it",
) -> Check:  # fmt: skip
    """Seconds since `when()`, a moment in Unix seconds: of a backup, or of its proof. FAIL where it is None: never."""

    def ask() -> float:
        moment = when()
        if moment is None:
            raise Unwell(f"{what} never happened")
        return max(0.0, clock.time() - moment)

    return Check(
        name, BlockingProbe(ask, name), unit="s", cache=5.0, warn_above=warn_above, fail_above=fail_above, essential=essential,
        clock=clock,
    )  # fmt: skip


def backup(
    state: str | Path, *, name: str = "backup:age", warn_above: float = THRESHOLDS.backup_seconds,
    fail_above: float | None = None,
    essential: bool = False, clock: Clock = SYSTEM,
) -> Check:  # fmt: skip
    """Seconds since the newest backup that was proven by a restore was begun, as the file `state` of `backup agent` says.

    FAIL when the agent has said nothing for five minutes, when nothing is proven, and for whatever the agent finds wrong. 0
    where another machine makes the backups.
    """

    def ask() -> float:
        try:
            found = json.loads(Path(state).read_text("utf-8"))
            age = clock.time() - float(found["at"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unwell("nobody makes backups: their agent left no word") from error
        if age > _AGENT_SILENT:
            raise Unwell(f"nobody makes backups: their agent has said nothing for {age / 60:.0f} min")
        if not found.get("active", True):
            return 0.0
        proven = found.get("verified_age")
        observed = None if proven is None else float(proven) + age
        if problems := [str(problem.get("text")) for key in ("found", "amiss") for problem in found.get(key, ())]:
            raise Unwell("; ".join(problems), observed=observed)
        if observed is None:
            raise Unwell("no backup was proven yet")
        return observed

    return Check(
        name, BlockingProbe(ask, name), unit="s", cache=5.0, warn_above=warn_above, fail_above=fail_above, essential=essential,
        clock=clock,
    )  # fmt: skip


def heartbeat(path: str | Path, *, name: str, fail_above: float, essential: bool = False) -> Check:
    """Seconds since the file at `path` was written, as a job does at its end; FAIL when it is not there."""

    def when() -> float | None:
        try:
            return Path(path).stat().st_mtime
        except FileNotFoundError:
            return None

    return freshness(when, name=name, fail_above=fail_above, essential=essential, what="the heartbeat")


def process(pid_file: str | Path, *, name: str, essential: bool = True) -> Check:
    """Whether the process whose number the file holds lives; the observed value is its number."""

    def ask() -> float:
        try:
            pid = int(Path(pid_file).read_text().split()[0])
            os.kill(pid, 0)
        except PermissionError:  # of another account, but there
            return float(pid)
        except (OSError, ValueError, IndexError) as error:
            raise Unwell("it does not run") from error
        return float(pid)

    return Check(name, BlockingProbe(ask, name), unit="pid", essential=essential)


def _low(value: float, warn_below: float, fail_below: float, reason: str) -> float:
    if value < warn_below:
        raise Unwell(reason, observed=value, status=Status.FAIL if value < fail_below else Status.WARN)
    return value
