"""PostgreSQL: whether it keeps what it acknowledged, admits the pools, and knows the workers as no more than they need.

Promises: one connection of its own, given up after seconds; nothing is changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from esteio.extras import needs

with needs("postgres"):
    import psycopg
    from psycopg.rows import dict_row

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding
from esteio.health import Status
from esteio.postgres import Dsn

__all__ = ["PostgresReading", "judge_postgres", "postgres", "read_postgres"]

_CONNECT = "3"  # seconds for each host, less than the limit of an examination
_STATEMENT = 3000  # milliseconds
_SKEW = 1.0  # seconds between two clocks that follow time servers are milliseconds
_WARNED_BEFORE = timedelta(days=180)
_END_OF_SUPPORT = {  # https://www.postgresql.org/support/versioning/
    12: date(2024, 11, 21),
    13: date(2025, 11, 13),
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}
_SETTINGS = (
    "fsync", "full_page_writes", "synchronous_commit", "data_checksums", "wal_level", "archive_mode", "autovacuum",
    "track_counts", "idle_in_transaction_session_timeout", "listen_addresses", "ssl", "max_connections",
    "superuser_reserved_connections", "reserved_connections", "server_version", "server_version_num",
)  # fmt: skip
_READ = """
select (select json_object_agg(name, setting) from pg_catalog.pg_settings where name = any(%(names)s)) as settings,
       current_user as role,
       r.rolsuper as superuser,
       r.rolconnlimit as role_limit,
       d.datconnlimit as database_limit,
       not r.rolsuper and (pg_has_role(current_user, d.datdba, 'member') or exists (
           select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
             and n.nspname !~ '^pg_(toast|temp)' and pg_has_role(current_user, c.relowner, 'member'))) as owner,
       exists (select from pg_catalog.pg_replication_slots where slot_type = 'physical') as received,
       a.failed_count as archive_failures,
       a.last_failed_wal as archive_failed,
       coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false) as archive_fails,
       pg_is_in_recovery() as standby,
       extract(epoch from clock_timestamp())::float8 as now
from pg_catalog.pg_roles r, pg_catalog.pg_database d, pg_catalog.pg_stat_archiver a
where r.rolname = current_user and d.datname = current_database()"""


@dataclass(frozen=True, slots=True)
class PostgresReading:
    """What the server said: `answers` are the columns of the question, `skew` the seconds its clock is ahead."""

    settings: dict[str, str]
    answers: dict[str, Any]
    skew: float


def postgres(service: Dsn, *, processes: int) -> Examination:
    """Looks at the server of `service`, the address that `processes` workers use."""

    def look() -> Iterator[Finding]:
        try:
            reading = read_postgres(service)
        except (psycopg.errors.ConnectionTimeout, psycopg.errors.QueryCanceled) as error:
            raise TimeoutError(str(error).strip()) from error
        except psycopg.OperationalError as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            yield FindingCode.DATABASE_REFUSED.found(database=service.masked, reason=reason)
            return
        yield from judge_postgres(reading, service, processes=processes)

    return Examination("postgresql:server", look)


def read_postgres(service: Dsn) -> PostgresReading:
    """Ask everything in one statement."""
    limited = service.with_(parameters=(*_without_timeout(service), ("connect_timeout", _CONNECT)))
    with psycopg.connect(limited.conninfo, row_factory=dict_row) as connection:
        # For this transaction: behind PgBouncer the next client gets the same session.
        connection.execute(f"set local statement_timeout = {_STATEMENT}")
        before = time.time()
        answers = connection.execute(_READ, {"names": list(_SETTINGS)}).fetchone()
        between = (before + time.time()) / 2  # the middle of the round trip, as NTP does
    assert answers is not None
    return PostgresReading(answers.pop("settings"), answers, answers["now"] - between)


def _without_timeout(service: Dsn) -> tuple[tuple[str, str], ...]:
    return tuple(each for each in service.parameters if each[0] != "connect_timeout")


def judge_postgres(
    reading: PostgresReading, service: Dsn, *, processes: int, today: date | None = None
) -> Iterator[Finding]:
    """What follows from a reading; pure."""
    found = [
        *_durability(reading),
        *_archive(reading),
        *_upkeep(reading, today or date.today()),  # noqa: DTZ011 - support ends on a day, wherever one is
        *_pool(reading, service, processes),
        *_role(reading),
    ]
    yield from found
    if all(each.status is Status.PASS for each in found):
        wanted, admitted = _connections(reading, service, processes)
        version, role = reading.settings["server_version"], reading.answers["role"]
        yield FindingCode.DATABASE_SOUND.found(version=version, role=role, wanted=wanted, admitted=admitted)


def _durability(reading: PostgresReading) -> Iterator[Finding]:
    settings, role = reading.settings, reading.answers["role"]
    if settings["fsync"] == "off":
        yield FindingCode.FSYNC_OFF.found()
    if settings["full_page_writes"] == "off":
        yield FindingCode.FULL_PAGE_WRITES_OFF.found()
    if settings["synchronous_commit"] == "off":
        yield FindingCode.SYNCHRONOUS_COMMIT_OFF.found(role=role)
    if settings["data_checksums"] == "off":
        yield FindingCode.CHECKSUMS_OFF.found()


def _archive(reading: PostgresReading) -> Iterator[Finding]:
    settings, answers = reading.settings, reading.answers
    if settings["wal_level"] == "minimal":
        yield FindingCode.WAL_LEVEL_MINIMAL.found()
    elif settings["archive_mode"] != "off" and answers["archive_fails"]:
        failed, file = answers["archive_failures"], answers["archive_failed"]
        yield FindingCode.ARCHIVE_FAILS.found(failed=failed, file=file)
    elif settings["archive_mode"] == "off" and not answers["received"] and not answers["standby"]:
        yield FindingCode.ARCHIVE_NONE.found()


def _upkeep(reading: PostgresReading, today: date) -> Iterator[Finding]:
    settings = reading.settings
    if "off" in (settings["autovacuum"], settings["track_counts"]):  # autovacuum acts on what is counted
        yield FindingCode.AUTOVACUUM_OFF.found()
    if settings[
        "listen_addresses"
    ]:  # else none but programs of this machine come, and the pools limit their own sessions
        if settings["idle_in_transaction_session_timeout"] == "0":
            yield FindingCode.IDLE_IN_TRANSACTION_UNBOUNDED.found()
        local = {"localhost", "127.0.0.1", "::1"}
        if settings["ssl"] == "off" and not {each.strip() for each in settings["listen_addresses"].split(",")} <= local:
            yield FindingCode.SERVER_WITHOUT_TLS.found(addresses=settings["listen_addresses"])
    major = int(settings["server_version_num"]) // 10_000
    end = _END_OF_SUPPORT.get(major, date.min if major < min(_END_OF_SUPPORT) else date.max)
    if end - today < _WARNED_BEFORE:
        code = FindingCode.VERSION_ENDED if end <= today else FindingCode.VERSION_ENDS
        yield code.found(version=major, end=end.isoformat())
    if abs(reading.skew) > _SKEW:
        yield FindingCode.CLOCKS_DIFFER.found(seconds=reading.skew)


def _pool(reading: PostgresReading, service: Dsn, processes: int) -> Iterator[Finding]:
    wanted, admitted = _connections(reading, service, processes)
    if wanted > admitted:
        fitting = max(1, admitted // processes)
        yield FindingCode.POOL_TOO_LARGE.found(
            processes=processes, each=service.connection_limit, wanted=wanted, admitted=admitted, fitting=fitting
        )


def _connections(reading: PostgresReading, service: Dsn, processes: int) -> tuple[int, int]:
    """How many the pools may open, and how many the server, the database and the role admit."""
    settings, answers = reading.settings, reading.answers
    reserved = int(settings["superuser_reserved_connections"]) + int(settings.get("reserved_connections", 0))
    bounds = [int(settings["max_connections"]) - reserved, answers["database_limit"], answers["role_limit"]]
    return service.connection_limit * processes, min(each for each in bounds if each >= 0)  # -1: no limit


def _role(reading: PostgresReading) -> Iterator[Finding]:
    role = reading.answers["role"]
    if reading.answers["superuser"]:
        yield FindingCode.ROLE_SUPERUSER.found(role=role)
    elif reading.answers["owner"]:
        yield FindingCode.ROLE_OWNER.found(role=role)
