"""Backups as the environment describes them.

Promises: everything comes from variables, so no secret is ever an argument; what is missing or wrong is an
`EnvironmentProblem` that names the variable and what is allowed.

| variable | meaning | default |
|---|---|---|
| DATABASE_URL | the database | needed by run and restore |
| BACKUP_DATABASE_URL | the same server by a role with REPLICATION, for bases and the log | DATABASE_URL |
| BACKUP_DIR, AWS_S3_BUCKET, BACKUP_STORES | where backups are kept: a directory, a bucket, more addresses | one is needed |
| BACKUP_PREFIX | what names begin with | backup |
| BACKUP_RECIPIENTS | age recipients, separated by commas | not encrypted |
| BACKUP_PASSPHRASE | encrypts, and opens again | not encrypted |
| BACKUP_IDENTITY | the file of the age identity that opens | none |
| BACKUP_LEVEL | zstd's level, 1 (fast) to 19 (small), or -1 to -20 (faster still) | 1 |
| BACKUP_THREADS | zstd's threads, shared by the streams of a dump, 0 to 64 | one for each core, 4 at most |
| BACKUP_JOBS | streams of a dump at the same time, and of its restore, 1 to 16 | one for each core, 4 at most |
| BACKUP_DOCUMENTS | what people uploaded: a directory, part of each backup where it exists, or the address of a store | none |
| MAINTENANCE_FILE | the switch that closes the service around a restore in place | it is not closed |
| RETENTION_DAYS | days every backup is kept, 1 to 3650 | 30 |
| BACKUP_KEEP | the newest of so many days, weeks, ... too: daily=7 weekly=4 monthly=12 yearly=2 verified=2 | verified=2 |
| BACKUP_MAX_AGE | hours after which the newest verified backup is too old, 1 to 2160 | 26 |
| BACKUP_WAL_MAX_AGE | minutes after which the newest WAL in a store is too old, 2 to 10080 | 60 |
| BACKUP_SPOOL_LIMIT | MB of WAL that may wait here for a store, 64 to 10000000 | 16384 |
| BACKUP_SPOOL_FULL | what happens then: stop receiving, or release what one store has; both are red | stop |
| PG_BIN | the directory of PostgreSQL's programs | the extra `embedded` |
| NOTIFY_URLS | who is told how runs end, as apprise writes addresses, separated by blanks | nobody |
| WEBHOOK_URL | one more: Slack, Discord, or whoever receives JSON | none |
| HEARTBEAT_URL | asked after each success, with `/fail` after each failure, as Healthchecks wants it | none |
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from esteio.alert import Channels, Heartbeat, Outbox
from esteio.backup import MOST_JOBS, Backups, Retention, default_packing
from esteio.backup._details import DetailCode
from esteio.backup._marker import is_marked
from esteio.backup.archive import Limit
from esteio.backup.packing import Decryption, Encryption, InvalidKey, Packing
from esteio.backup.store import Store, Stores, StoreUrlError, open_store, stores_from_settings
from esteio.cli._notify import Notices
from esteio.errors import EsteioError
from esteio.postgres import Dsn

__all__ = [
    "EnvironmentProblem",
    "backups_of",
    "decryption",
    "encryption",
    "jobs",
    "notices_directory",
    "notices_of",
    "packing",
    "retention",
]

_NUMBER = re.compile(r"-?[0-9]{1,9}")
_KEPT = re.compile(r"(daily|weekly|monthly|yearly|verified)=([0-9]{1,4})")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class EnvironmentProblem(EsteioError, ValueError):
    """A variable that is missing or cannot be used."""

    def __init__(self, variable: str, problem: str, allowed: str) -> None:
        self.variable = variable
        self.problem = problem
        self.allowed = allowed
        super().__init__(f"{variable} {problem}; set it to {allowed}")


@contextmanager
def backups_of(variables: Mapping[str, str], *, database: bool) -> Iterator[Backups]:
    """The `Backups` that `variables` describe; `database` says whether DATABASE_URL has to be there."""
    url = variables.get("DATABASE_URL", "")
    if database and not url:
        raise EnvironmentProblem("DATABASE_URL", DetailCode.NOT_SET(), "postgresql://user:password@host:5432/database")
    found = stores_from_settings(variables)
    if not found:
        raise EnvironmentProblem("BACKUP_DIR", DetailCode.NOT_SET(), DetailCode.DIRECTORY_SETTING())
    prefix = variables.get("BACKUP_PREFIX", "backup")
    if not _PREFIX.fullmatch(prefix):
        problem = DetailCode.SETTING_IS(value=prefix)
        raise EnvironmentProblem("BACKUP_PREFIX", problem, DetailCode.PREFIX_CHARACTERS())
    replication = variables.get("BACKUP_DATABASE_URL", "")
    yield Backups(
        Dsn.parse(url) if url else Dsn(),
        Stores(found),
        replication=Dsn.parse(replication) if replication else None,
        prefix=prefix,
        packing=packing(variables),
        key=decryption(variables),
        jobs=jobs(variables),
        retention=retention(variables),
        max_age=timedelta(hours=_number(variables, "BACKUP_MAX_AGE", 1, 2160) or 26),
        wal_max_age=timedelta(minutes=_number(variables, "BACKUP_WAL_MAX_AGE", 2, 10080) or 60),
        spool_limit=_spool_limit(variables),
        documents=_documents(variables.get("BACKUP_DOCUMENTS", "")),
        binaries=Path(variables["PG_BIN"]) if variables.get("PG_BIN") else None,
    )


def _documents(place: str) -> Path | Store | None:
    if "://" in place:
        return open_store(place)
    return Path(place).expanduser() if place else None


def notices_of(variables: Mapping[str, str]) -> Notices:
    """Who is told of backups; ChannelRefused names an address that cannot be used, without its secrets."""
    urls = [*variables.get("NOTIFY_URLS", "").split(), *variables.get("WEBHOOK_URL", "").split()]
    beat = variables.get("HEARTBEAT_URL", "")
    return Notices(
        Outbox(notices_directory(variables), Channels(urls, what="NOTIFY_URLS or WEBHOOK_URL")) if urls else None,
        Heartbeat(beat, what="HEARTBEAT_URL") if beat else None,
    )


def notices_directory(variables: Mapping[str, str]) -> Path:
    """Where notices wait: beside the backups, or on this machine where those are in no directory."""
    roots: list[object] = []
    with suppress(StoreUrlError):
        roots = [getattr(store, "root", None) for store in stores_from_settings(variables)]
    for root in roots:
        if isinstance(root, Path) and is_marked(root):  # else a disk may not be mounted
            return root / ".notices"
    owner = os.getuid() if hasattr(os, "getuid") else "own"
    return Path(tempfile.gettempdir()) / f"esteio-notices-{owner}"


def packing(variables: Mapping[str, str]) -> Callable[[], Packing]:
    """How files are packed, asked before each run."""
    encrypt, usual = encryption(variables), default_packing()
    level, threads = _number(variables, "BACKUP_LEVEL", -20, 19), _number(variables, "BACKUP_THREADS", 0, 64)
    if level == 0:
        raise EnvironmentProblem("BACKUP_LEVEL", DetailCode.SETTING_IS(value="0"), DetailCode.LEVELS())
    chosen = replace(usual, level=level or usual.level, threads=usual.threads if threads is None else threads)
    return lambda: replace(chosen, encryption=encrypt())


def jobs(variables: Mapping[str, str]) -> int | None:
    """How many streams of a dump are made and restored at the same time; None when nothing is said of it."""
    return _number(variables, "BACKUP_JOBS", 1, MOST_JOBS)


def retention(variables: Mapping[str, str]) -> Retention:
    """What stays when old backups go: RETENTION_DAYS, and the counts of BACKUP_KEEP."""
    kept = {"days": _number(variables, "RETENTION_DAYS", 1, 3650) or 30}
    for word in variables.get("BACKUP_KEEP", "").split():
        match = _KEPT.fullmatch(word)
        if match is None or word == "verified=0":
            raise EnvironmentProblem("BACKUP_KEEP", DetailCode.SETTING_HAS(value=word), DetailCode.KEEP_COUNTS())
        kept[match[1]] = int(match[2])
    return Retention(**kept)


def encryption(variables: Mapping[str, str]) -> Callable[[], Encryption | None]:
    """How backups are locked; asked when one is made, because a passphrase takes a second."""
    recipients = [each.strip() for each in variables.get("BACKUP_RECIPIENTS", "").split(",") if each.strip()]
    phrase = variables.get("BACKUP_PASSPHRASE", "")
    if recipients and phrase:
        problem = DetailCode.SET_WITH_RECIPIENTS()
        raise EnvironmentProblem("BACKUP_PASSPHRASE", problem, DetailCode.ONE_OF_THE_TWO())
    if recipients:
        return lambda: Encryption.to(recipients)
    return lambda: Encryption.passphrase(phrase) if phrase else None


def decryption(variables: Mapping[str, str]) -> Callable[[bytes | None], Decryption | None]:
    """What opens backups, given their key file where they have one."""

    def key(key_file: bytes | None) -> Decryption | None:
        if key_file is not None and (phrase := variables.get("BACKUP_PASSPHRASE")):
            return Decryption.passphrase(phrase, key_file)
        path = variables.get("BACKUP_IDENTITY")
        if not path:
            return None
        try:
            return Decryption.of(Path(path).expanduser().read_text())
        except (OSError, UnicodeDecodeError) as error:
            allowed = DetailCode.READABLE_FILE(error=str(error))
            raise InvalidKey(DetailCode.IDENTITY_FILE(), path, allowed) from error

    return key


def _spool_limit(variables: Mapping[str, str]) -> Limit:
    """How much WAL may wait for a store, and what happens then."""
    full = variables.get("BACKUP_SPOOL_FULL", "stop") or "stop"
    if full not in ("stop", "release"):
        raise EnvironmentProblem("BACKUP_SPOOL_FULL", DetailCode.SETTING_IS(value=full), DetailCode.STOP_OR_RELEASE())
    megabytes = _number(variables, "BACKUP_SPOOL_LIMIT", 64, 10_000_000) or 16384
    return Limit(megabytes << 20, release=full == "release")


def _number(variables: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    given = variables.get(name, "")
    if not given:
        return None
    if not (_NUMBER.fullmatch(given) and low <= int(given) <= high):
        allowed = DetailCode.NUMBER_BETWEEN(low=low, high=high)
        raise EnvironmentProblem(name, DetailCode.SETTING_IS(value=given), allowed)
    return int(given)
