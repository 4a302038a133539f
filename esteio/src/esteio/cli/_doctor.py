"""`esteio doctor`: examines what the environment describes. Nothing of it is imported before it is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from esteio.backup import Backups
    from esteio.doctor import Examination

__all__ = ["KNOWN", "doctor"]

_YES_OR_NO = {"yes": True, "no": False}
KNOWN = frozenset(
    {
        "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_S3_BUCKET", "AWS_SECRET_ACCESS_KEY",
        "BACKUP_DATABASE_URL", "BACKUP_DIR", "BACKUP_DOCUMENTS",
        "BACKUP_IDENTITY", "BACKUP_JOBS", "BACKUP_KEEP", "BACKUP_LEVEL", "BACKUP_MAX_AGE",
        "BACKUP_PASSPHRASE", "BACKUP_PREFIX", "BACKUP_RECIPIENTS", "BACKUP_SPOOL_FULL", "BACKUP_SPOOL_LIMIT",
        "BACKUP_STORES", "BACKUP_THREADS", "BACKUP_WAL_MAX_AGE", "DATABASE_URL", "HAS_UPS", "HEARTBEAT_URL",
        "MAINTENANCE_FILE", "NOTIFY_URLS", "PG_BIN", "PUBLIC_URL", "REDIS_PASSWORD", "REDIS_URL", "RETENTION_DAYS",
        "WEBHOOK_URL",
    }
)  # fmt: skip
"""Every variable that `esteio` reads."""


def doctor(
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes with a pool, of all machines.")] = 2,
    limit: Annotated[float, typer.Option("--limit", min=0.1, help="Seconds for each examination.")] = 5.0,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help="A code that does not count for the exit code; repeatable.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Also what is as it should be.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look for what would break this service next: settings, servers, backups, network, machine."""
    from esteio.cli.findings import checked_codes, show_findings
    from esteio.doctor import FindingCode, examine

    accepted = checked_codes(accept or (), FindingCode)
    findings = examine(_examinations(os.environ, workers), limit=limit)
    raise typer.Exit(show_findings(findings, as_json=as_json, verbose=verbose, accepted=accepted))


def _examinations(variables: Mapping[str, str], workers: int) -> list[Examination]:
    """What the variables describe."""
    from esteio.doctor import drives, machine, network, ports, settings

    url = variables.get("DATABASE_URL", "")
    secret = ("DATABASE_URL", "BACKUP_DATABASE_URL", "REDIS_URL", "REDIS_PASSWORD")
    secrets = {name: variables[name] for name in secret if variables.get(name)}
    return [
        settings.names(variables, KNOWN, ("BACKUP_",)),
        settings.passwords(secrets),
        *_with_extra("postgresql", lambda: [_database(url, workers)]),
        *_with_extra("redis", lambda: _redis(variables)),
        *_with_extra("backup", lambda: _backups(variables)),
        network.certificate(variables.get("PUBLIC_URL")),
        network.watcher(),
        ports.ports(),
        machine.files([Path(".env"), *_paths(variables, "BACKUP_IDENTITY", "BACKUP_DIR", "BACKUP_DOCUMENTS")]),
        machine.clock(),
        machine.disks([Path.cwd(), *_paths(variables, "BACKUP_DIR", "BACKUP_DOCUMENTS")]),
        drives.drives(),
        _power(variables.get("HAS_UPS", "")),
        machine.versions(),
    ]


def _with_extra(group: str, made: Callable[[], list[Examination]]) -> list[Examination]:
    """What `made` gives; where an extra is not installed, that is what is found."""
    from esteio.doctor import Examination
    from esteio.extras import ExtraMissing

    try:
        return made()
    except ExtraMissing as missing:
        error = missing  # the name above ends with the block

        def look() -> NoReturn:
            raise error

        return [Examination(f"{group}:extra", look)]


def _redis(variables: Mapping[str, str]) -> list[Examination]:
    if not variables.get("REDIS_URL"):
        return []
    from esteio.doctor.redis import certificates, redis

    url = variables["REDIS_URL"]
    return [redis(url, variables.get("REDIS_PASSWORD") or None), certificates(url)]


def _paths(variables: Mapping[str, str], *names: str) -> list[Path]:
    return [
        Path(variables[name]).expanduser() for name in names if variables.get(name) and "://" not in variables[name]
    ]


def _database(url: str, workers: int) -> Examination:
    from esteio.doctor import Examination, FindingCode

    if not url:
        return Examination("postgresql:server", lambda: [FindingCode.DATABASE_NOT_SET.found()])
    from esteio.doctor.postgres import postgres
    from esteio.postgres import Dsn, DsnError

    try:
        return postgres(Dsn.parse(url), processes=workers)
    except DsnError as error:
        about = {"part": error.part, "value": error.value, "allowed": error.allowed}
        invalid = FindingCode.ADDRESS_INVALID.found(name="DATABASE_URL", **about)
        return Examination("settings:DATABASE_URL", lambda: [invalid])


def _power(answer: str) -> Examination:
    from esteio.doctor import Examination, FindingCode, machine

    if answer.lower() not in ("", *_YES_OR_NO):
        invalid = FindingCode.SETTING_INVALID.found(name="HAS_UPS", problem=f"is {answer!r}", allowed="yes or no")
        return Examination("settings:HAS_UPS", lambda: [invalid])
    return machine.power(_YES_OR_NO.get(answer.lower()))


def _backups(variables: Mapping[str, str]) -> list[Examination]:
    """Of their places and of who is told always; of the backups where they can be found by the variables."""
    from esteio.backup.store import StoreUrlError, store_urls
    from esteio.cli.environment import EnvironmentProblem, backups_of
    from esteio.doctor import Examination, FindingCode, backups

    def opened() -> AbstractContextManager[Backups]:
        return backups_of(variables, database=False)

    channels = len([*variables.get("NOTIFY_URLS", "").split(), *variables.get("WEBHOOK_URL", "").split()])
    found = [backups.stores(variables, Path.cwd()), backups.notices(channels)]
    if not store_urls(variables):
        return found
    try:
        with opened() as described:
            state = described.agent_file
    except StoreUrlError:
        return [*found, backups.backups(opened)]  # which says what is wrong with the address
    except EnvironmentProblem as error:
        invalid = FindingCode.SETTING_INVALID.found(name=error.variable, problem=error.problem, allowed=error.allowed)
        return [*found, Examination("settings:backup", lambda: [invalid])]
    return [*found, backups.backups(opened), backups.agent(state)]
