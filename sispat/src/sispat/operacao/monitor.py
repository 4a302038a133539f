"""What watches this machine, in the process beside the workers: the checks, and the history they make.

Promises: it asks the service from outside, as people do, and the database by a connection of its own; it needs neither to
write down that they are away.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from esteio.alert.journal import Journal
from esteio.health import Check, HostMonitor, Measurements, Monitor, checks
from esteio.postgres import Database, Dsn
from sispat import __version__
from sispat.http.backup_state import OPERATOR_STATE, backup_age
from sispat.http.maintenance import maintenance_switch
from sispat.settings import Settings, in_force

__all__ = ["health_monitor", "history_file", "journal_of"]


def history_file(settings: Settings) -> Path:
    """Where the history of this machine is."""
    return settings.data_dir / "health.sqlite"


def journal_of(settings: Settings) -> Journal:
    """Where each process of this machine notes what happened."""
    return Journal(settings.data_dir / "events.jsonl")


def health_monitor(settings: Settings, dsn: Dsn) -> HostMonitor:
    """A service that looks every few seconds, and takes samples as HEALTH_CHECK_INTERVAL says."""
    database = Database(dsn.with_(connection_limit=1), name="health", min_size=1, application_name="sispat health")
    switch = maintenance_switch(settings)
    return HostMonitor(
        history_file(settings),
        Measurements.of_environment(),
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
    found = [
        checks.http(f"http://{address}:{settings.port}/api/health/live", name="web:responseTime", warn_above=500.0),
        checks.postgres(database),
        checks.disk(settings.data_dir, essential=local),
        checks.clock(),
    ]
    if settings.redis_url is not None:
        found.append(_redis(settings.redis_url.get_secret_value(), settings.redis_password))
    public = urlsplit(settings.public_url or "")
    if public.scheme == "https" and public.hostname:
        found.append(checks.tls(public.hostname, public.port or 443))
    if OPERATOR_STATE in os.environ:
        found.append(Check("backup:age", backup_age, unit="h", cache=5.0, essential=False))
    return found


def _redis(address: str, password: SecretStr | None) -> Check:
    """Whether anything answers there; whether it decides limits is what the workers say (`/api/health`)."""
    parts = urlsplit(address)
    if parts.scheme not in ("redis", "rediss"):  # several nodes, or a socket
        return checks.tcp(parts.hostname or "localhost", parts.port or 6379, name="redis:responseTime", essential=False)
    from redis.asyncio import Redis

    client = Redis.from_url(address, password=password and password.get_secret_value(), socket_timeout=0.7)
    return checks.redis(client.ping)
