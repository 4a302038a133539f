"""The configuration files in the data directory of a server: what it is started with, and who may connect.

Promises: each is replaced whole, so that a crash leaves the old one or the new one; one that says so already is left alone:
on a full disk there is no room for another. The directory belongs to the server's account: a link that it placed there makes
nobody read or write another file. OSError where that cannot be done.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from esteio.postgres.embedded._account import Account
from esteio.postgres.embedded._data_dir import SUPERUSER
from esteio.postgres.embedded._settings import hba_file, ident_file, settings_file

__all__ = ["Configuration", "disk_of"]

_SETTINGS_FILE = "esteio.conf"
_ROLES_FILE = "esteio.roles"
_LARGE_DISK = 1 << 40


@dataclass(frozen=True, slots=True)
class Configuration:
    """Of the cluster in `directory`, of PostgreSQL `major`, whose server runs under `account`."""

    directory: Path
    account: Account
    major: int

    def prepare(self, settings: Mapping[str, str]) -> None:
        """Write all of it for a start with `settings`."""
        main = self._read("postgresql.conf")
        include = f"include_if_exists = '{_SETTINGS_FILE}'\n"
        if include not in main:
            self.write("postgresql.conf", f"{main}\n# the settings esteio starts the server with\n{include}")
        self.write(_SETTINGS_FILE, settings_file(settings))
        self.write("pg_hba.conf", hba_file())
        self._admit(self._roles())

    def allow(self, role: str) -> bool:
        """Let local accounts log in as `role`; whether that changed anything, so that the server has to read it again.

        Before PostgreSQL 16 each role is listed by name.
        """
        roles = self._roles()
        if self.major >= 16 or role in roles:
            return False
        self.write(_ROLES_FILE, "\n".join([*roles[1:], role]) + "\n")
        self._admit([*roles, role])
        return True

    def write(self, name: str, text: str) -> None:
        """Replace a file of the directory."""
        with suppress(OSError):
            if self._read(name) == text:
                return
        unfinished = self.directory / f".{name}.new"
        unfinished.unlink(missing_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        self.account.own(unfinished)
        unfinished.rename(self.directory / name)

    def _admit(self, roles: Sequence[str]) -> None:
        self.write("pg_ident.conf", ident_file((_our_name(), self.account.name), roles, self.major))

    def _roles(self) -> list[str]:
        try:
            return [SUPERUSER, *self._read(_ROLES_FILE).splitlines()]
        except FileNotFoundError:
            return [SUPERUSER]

    def _read(self, name: str) -> str:
        handle = os.open(self.directory / name, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle) as file:
            return file.read()


def disk_of(directory: Path) -> int:
    """Bytes of the disk that `directory` is on, or will be: what the server's log may take is a part of it."""
    for place in (directory, *directory.parents):
        with suppress(OSError):  # not made yet, or nobody may look, which `locate` tells
            return shutil.disk_usage(place).total
    return _LARGE_DISK


def _our_name() -> str:
    import pwd  # late, as in _account.py

    return pwd.getpwuid(os.geteuid()).pw_name
