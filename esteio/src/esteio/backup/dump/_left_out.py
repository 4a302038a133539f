"""What a plain backup does not hold because it may be secret, and how a restore comes by it, or says that it is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from esteio.backup._files import BackupReader
from esteio.backup._manifest import Manifest
from esteio.backup._session import connect
from esteio.backup.dump._globals import Setting
from esteio.backup.dump._introspect import settings_of
from esteio.backup.dump._take import SETTINGS
from esteio.postgres import Dsn

__all__ = ["LeftOut", "hidden_settings", "left_out", "missing", "roles", "taken_over"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the restored database lacks, and a person has to set."""

    passwords: tuple[str, ...]
    """Roles that were made, and can't log in with a password."""
    settings: tuple[tuple[str, str], ...]
    """Roles ('' for the database itself) and the names of settings."""


def left_out(manifest: Manifest) -> Mapping[str, Any]:
    """What the backup says that it does not hold: passwords, settings, role_settings."""
    found: Mapping[str, Any] = manifest.details.get("left_out", {})
    return found


def hidden_settings(reader: BackupReader) -> tuple[Setting, ...]:
    """The database's settings that an encrypted backup keeps apart from its manifest."""
    if not any(part.role == SETTINGS for part in reader.manifest.parts):
        return ()
    return tuple((role, setting) for role, setting in json.loads(reader.text(SETTINGS)))


def taken_over(admin: Dsn, database: str, manifest: Manifest) -> tuple[Setting, ...]:
    """The settings that the backup does not hold, as the `database` that it replaces on that server has them."""
    names = {tuple(each) for each in left_out(manifest).get("settings", ())}
    with connect(admin) as conn:
        return tuple(each for each in settings_of(conn, database) if (each[0], each[1].partition("=")[0]) in names)


def roles(admin: Dsn) -> frozenset[str]:
    """All of that server."""
    with connect(admin) as conn:
        return frozenset(role for (role,) in conn.execute("SELECT rolname::text FROM pg_roles"))


def missing(manifest: Manifest, made: frozenset[str], taken: Sequence[Setting]) -> LeftOut | None:
    """What has to be set by hand, when the roles `made` were not there before, and the settings `taken` over."""
    lacks, there = left_out(manifest), {(role, setting.partition("=")[0]) for role, setting in taken}
    of_database = [(role, name) for role, name in lacks.get("settings", ()) if (role, name) not in there]
    of_roles = [(role, name) for role, name in lacks.get("role_settings", ()) if role in made]
    found = LeftOut(tuple(role for role in lacks.get("passwords", ()) if role in made), (*of_database, *of_roles))
    return found if found.passwords or found.settings else None
