"""`sispat doctor`: Esteio's examinations of what the settings describe, and SISPAT's own in the same list.

Promises: it starts nothing and changes nothing, but for an object that it writes into the store of the documents and
removes. Settings that cannot be used are findings, too, and then the only ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sispat.cli._doctor_documents import documents_store
from sispat.kernel.i18n import _
from sispat.settings import InvalidSettings, Settings, load_settings

if TYPE_CHECKING:
    from esteio.doctor import Examination, Finding
    from esteio.postgres import Dsn

__all__ = ["doctor", "examinations"]


def doctor(
    limit: Annotated[float, typer.Option("--limit", min=0.1, help=_("Segundos para cada exame."))] = 5.0,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help=_("Um código que não conta para o fim; pode repetir-se."))
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help=_("Mostra também o que está em ordem."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Para programas."))] = False,
) -> None:
    """Look for what would break this service next: settings, servers, backups, network, machine."""
    from esteio.cli.findings import checked_codes, show_findings
    from esteio.doctor import FindingCode, examine
    from sispat.cli._doctor_words import SispatFinding, doctor_words

    accepted = checked_codes(accept or (), FindingCode, SispatFinding)
    findings = examine(_of_settings_or_what_is_wrong(), limit=limit)
    code = show_findings(findings, as_json=as_json, verbose=verbose, accepted=accepted, words=doctor_words())
    raise typer.Exit(code)


def _of_settings_or_what_is_wrong() -> list[Examination]:
    from esteio.doctor import Examination, FindingCode

    try:
        return examinations(load_settings())
    except InvalidSettings as invalid:
        found = [
            FindingCode.SETTING_INVALID.found(
                name=each.name, problem=f"“{each.value}” ({each.origin}) {each.reason}".strip(), allowed=each.allowed
            )
            for each in invalid.problems
        ]
        return [Examination("settings:values", lambda: found)]


def examinations(settings: Settings) -> list[Examination]:
    """Everything that is looked at."""
    from dotenv import dotenv_values

    from esteio.doctor import Examination, drives, machine, network, ports
    from esteio.doctor import settings as of_settings
    from sispat.settings import variables

    known = {variable.name for _name, _field, variable in variables()}
    given = {name: value or "" for name, value in {**dotenv_values(".env"), **os.environ}.items()}
    backups_dir = settings.backup_dir or settings.data_dir / "backup"
    documents = settings.documents
    identity = [settings.backup_identity] if settings.backup_identity else []
    return [
        of_settings.names(given, known, ("SISPAT_",)),
        of_settings.passwords(_secrets(settings)),
        Examination("sispat:settings", lambda: _of_settings(settings)),
        *_of_database(settings),
        *_of_redis(settings),
        *_of_backups(settings, backups_dir),
        *documents_store(settings),
        network.certificate(settings.public_url),
        network.binding(settings.host, tls=settings.tls_certificate is not None),
        network.watcher(),
        ports.ports({*ports.EXPECTED, settings.port}),  # of the last one `network.binding` speaks
        # Not the data directory itself: as root, the account of our own PostgreSQL passes through it.
        machine.files([Path(".env"), *identity, backups_dir, documents]),
        machine.clock(),
        machine.disks([settings.data_dir, backups_dir, documents]),
        drives.drives(),
        machine.power(settings.ups),
        machine.versions(("sispat", "esteio", "psycopg", "redis", "fastapi", "starlette", "uvicorn")),
    ]


def _secrets(settings: Settings) -> dict[str, str]:
    addresses = {
        "DATABASE_URL": settings.database_url,
        "SISPAT_DATABASE_APP_URL": settings.database_app_url,
        "BACKUP_DATABASE_URL": settings.backup_database_url,
    }
    secrets = {"REDIS_URL": settings.redis_url, "REDIS_PASSWORD": settings.redis_password}
    return {
        **{name: address.url for name, address in addresses.items() if address is not None},
        **{name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None},
    }


def _of_settings(settings: Settings) -> Iterator[Finding]:
    from sispat.cli._doctor_words import SispatFinding

    yield (SispatFinding.SECRET_SET if settings.secrets else SispatFinding.SECRET_NOT_SET).found()
    if settings.secure_cookies == "não":
        yield SispatFinding.COOKIES_IN_CLEAR.found()
    if settings.forwarded_allow_ips == "*":
        yield SispatFinding.PROXIES_ALL.found()


def _of_database(settings: Settings) -> Iterator[Examination]:
    """Of the database as the workers enter it; our own where a service runs it."""
    from esteio.doctor import Examination
    from esteio.doctor.postgres import postgres
    from sispat.cli._database import SERVICE_ROLE, database_of_service
    from sispat.cli._doctor_words import SispatFinding

    owner = database_of_service(settings)
    if owner is None:
        stopped = SispatFinding.SERVICE_STOPPED.found(directory=str(settings.data_dir))
        yield Examination("postgresql:server", lambda: [stopped])
        return
    embedded = settings.database_url is None
    service = settings.database_app_url or (owner.with_(user=SERVICE_ROLE) if embedded else owner)
    yield postgres(service, processes=settings.workers)
    yield Examination("sispat:passwords", _demo_passwords(owner))


def _demo_passwords(owner: Dsn) -> Callable[[], Iterator[Finding]]:
    def look() -> Iterator[Finding]:
        from sispat.cli._doctor_words import SispatFinding
        from sispat.cli._preparation import with_time_limit
        from sispat.cli._safety_checks import public_passwords

        emails = public_passwords(with_time_limit(owner))
        code = SispatFinding.DEMO_PASSWORDS if emails else SispatFinding.NO_DEMO_PASSWORDS
        yield code.found(emails=", ".join(emails))

    return look


def _of_redis(settings: Settings) -> Iterator[Examination]:
    if settings.redis_url is not None:
        from esteio.doctor.redis import certificates, redis

        url, password = settings.redis_url.get_secret_value(), settings.redis_password
        yield redis(url, password.get_secret_value() if password else None)
        yield certificates(url)


def _of_backups(settings: Settings, directory: Path) -> Iterator[Examination]:
    from contextlib import nullcontext

    from esteio.backup import Problem, ProblemCode
    from esteio.doctor import Examination, FindingCode, backups
    from esteio.postgres import Dsn
    from sispat.cli._backups import backup_variables, open_backups
    from sispat.cli._notices import addresses
    from sispat.http.backup_state import operator_state_file

    yield backups.stores(backup_variables(settings), settings.data_dir if settings.database_url is None else None)
    yield backups.notices(len(addresses(settings)))
    yield backups.agent(operator_state_file(settings))
    if settings.backup_dir is None and not directory.exists():  # our own directory would be made by looking into it
        none = FindingCode.BACKUP_AT_RISK.found(problem=Problem.of(ProblemCode.NO_BACKUP))
        yield Examination("backup:proof", lambda: [none])
    else:
        yield backups.backups(lambda: nullcontext(open_backups(settings, settings.database_url or Dsn())))
