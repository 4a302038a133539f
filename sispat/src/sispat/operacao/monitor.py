"""What watches this machine, in the process beside the workers: the checks, and the history they make.

Promises: it asks the service from outside, as people do, and the database by a connection of its own; it needs neither to
write down that they are away.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

from pydantic import SecretStr

from esteio.alert.journal import Journal
from esteio.health import Check, HistoryReader, HostMonitor, Measurements, Monitor, Unwell, checks
from esteio.postgres import Database, Dsn
from sispat import __version__
from sispat.http.backup_state import OPERATOR_STATE, backup_age, backup_places, history_file
from sispat.http.database import ROOM_KEPT
from sispat.http.document_store import store_checks
from sispat.http.job_state import jobs_waiting
from sispat.http.maintenance import maintenance_switch
from sispat.settings import Settings, in_force

__all__ = ["health_monitor", "journal_of", "redis_check"]


def journal_of(settings: Settings) -> Journal:
    """Where each process of this machine notes what happened."""
    return Journal(settings.data_dir / "events.jsonl")


def health_monitor(settings: Settings, dsn: Dsn, measurements: Measurements) -> HostMonitor:
    """A service that looks every few seconds, and takes samples as HEALTH_CHECK_INTERVAL says."""
    if settings.database_url is None:
        # The embedded server has no passwords; its superuser sees whether those that receive the log still answer.
        dsn = dsn.with_(user="postgres")
    database = Database(dsn.with_(connection_limit=2), name="health", min_size=1, application_name="sispat health")
    switch = maintenance_switch(settings)
    return HostMonitor(
        history_file(settings),
        measurements,
        lambda: Monitor(_checks(settings, database)),
        every=settings.health_check_interval / 1000,
        opened=lambda: database,
        closed=lambda: switch.state() is not None,
        facts=lambda: _facts(settings),
    )


def _facts(settings: Settings) -> dict[str, str]:
    """The version, and every setting as `sispat settings` shows it, without its secrets."""
    return {"version": __version__, **{each.name: each.value for each in in_force(settings)}}


def _checks(settings: Settings, database: Database) -> list[Check]:
    host = settings.host if settings.host not in ("0.0.0.0", "::", "") else "127.0.0.1"  # noqa: S104 - compared, not bound
    address = f"[{host}]" if ":" in host else host
    local = database.dsn.hosts[0][0].startswith("/")
    history = HistoryReader(history_file(settings))
    found = [
        checks.http(
            f"{settings.scheme}://{address}:{settings.port}/api/health/live",
            name="web:responseTime",
            warn_above=500.0,
            context=_any_certificate(),
        ),
        checks.postgres(database),
        checks.replication(database),
        checks.disk(
            settings.data_dir,
            keep=ROOM_KEPT if settings.database_url is None else 0,
            essential=local,
            history=history,
        ),
        jobs_waiting(database),
        checks.clock(_clock(settings, database, local=local)),
    ]
    if settings.redis_url is not None:
        found.append(redis_check(settings.redis_url.get_secret_value(), settings.redis_password))
        found += cluster_certificates(settings.redis_url.get_secret_value())
    found += store_checks(settings)
    public = urlsplit(settings.public_url or "")
    if public.scheme == "https" and public.hostname:
        found.append(checks.tls(public.hostname, public.port or 443))
    if OPERATOR_STATE in os.environ:
        found.append(Check("backup:age", backup_age, unit="h", cache=5.0, essential=False))
        found += backup_places(settings, history)
    return found


def _any_certificate() -> ssl.SSLContext:
    """Our own is for another name than 127.0.0.1; whether browsers accept it is the check `tls:certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _clock(settings: Settings, database: Database, *, local: bool) -> Callable[[], Awaitable[float]] | None:
    """What this machine's clock is compared with; None: with itself, for leaps."""
    if settings.clock_source is None:
        return None if local else _clock_of(database)
    source = urlsplit(settings.clock_source)
    if source.scheme == "ntp":
        return checks.ntp_clock(source.hostname or "", source.port or 123)
    return checks.http_clock(settings.clock_source)


def _clock_of(database: Database) -> Callable[[], Awaitable[float]]:
    async def ask() -> float:
        async with database.connection(timeout=0.6) as conn:
            row = await (await conn.execute("select extract(epoch from clock_timestamp())::float8")).fetchone()
        return float(row[0]) if row else 0.0

    return ask


def redis_check(address: str, password: SecretStr | None) -> Check:
    """Whether anything answers there; whether it decides limits is what the workers say (`/api/health`)."""
    if urlsplit(address).scheme not in ("redis", "rediss"):
        return Check("redis:responseTime", _any_node(address), timeout=0.8, essential=False)
    from redis.asyncio import Redis

    client = Redis.from_url(address, password=password and password.get_secret_value(), socket_timeout=0.7)
    return checks.redis(client.ping)


def cluster_certificates(address: str) -> list[Check]:
    """Of the Sentinels, where the address names an authority: nodes show the same certificate at every port."""
    from esteio.limit.redis import RedisStore

    where = RedisStore(address).address  # reads the address and connects to nothing
    return [checks.certificates(where.nodes, where.context)] if where.authority else []


def _any_node(address: str) -> Callable[[], Awaitable[float]]:
    """A probe: milliseconds until a Sentinel, a node of the Cluster or the socket accepts a connection; one is enough."""
    from esteio.limit.redis import RedisStore

    where = RedisStore(address).address  # reads the address and connects to nothing

    async def ask() -> float:
        began = time.perf_counter()
        for host, port in where.nodes:
            with suppress(OSError):
                _, writer = await (
                    asyncio.open_unix_connection(host)
                    if where.kind == "unix"
                    else asyncio.open_connection(
                        host, port, ssl=where.context()
                    )  # else it would log a broken handshake
                )
                writer.close()
                return (time.perf_counter() - began) * 1000
        raise Unwell("none of its nodes accepts a connection")

    return ask
