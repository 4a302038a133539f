"""Under which account the server runs.

Promises: PostgreSQL refuses to run as root, so as root it runs under an unprivileged account; as anybody
else it runs as ourselves and nothing changes hands.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esteio.postgres.embedded._errors import AccountError

__all__ = ["Account", "resolve_account"]

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account; `foreign` when it is not the one we run under."""

    name: str
    uid: int
    gid: int
    foreign: bool

    @property
    def popen(self) -> dict[str, Any]:
        """What `subprocess` needs to run a child under it."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.foreign else {}

    def own(self, path: Path) -> None:
        """Hand `path`, which we made, to the account."""
        if not self.foreign:
            return
        found = path.lstat()
        if (found.st_uid, found.st_gid) != (
            self.uid,
            self.gid,
        ):  # a chown that changes nothing still costs an fsync later
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_enter(self, directory: Path) -> bool:
        """Whether the account may use files below `directory`; asked of the system, so ACLs count."""
        if not self.foreign:
            return os.access(directory, os.X_OK)
        try:
            entered = subprocess.run(  # noqa: S603
                ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)],
                cwd="/",
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=10,
                **self.popen,
            )
        except OSError:
            return False
        return entered.returncode == 0


def resolve_account(wanted: str | None) -> Account:
    """The account to run under; AccountError when `wanted` does not exist or may not be used."""
    import pwd  # late: Windows has none, and only starts servers of its own in another way

    uid = os.geteuid()
    if uid != 0:
        return _own_account(uid, wanted)
    for name in (wanted,) if wanted else _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid == 0:
            raise AccountError(name, "is root, under which PostgreSQL refuses to run", "name an unprivileged account")
        return Account(name, entry.pw_uid, entry.pw_gid, foreign=True)
    raise AccountError(wanted or " or ".join(_CANDIDATES), "does not exist", "create it, or name another account")


def _own_account(uid: int, wanted: str | None) -> Account:
    import pwd

    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        raise AccountError(
            f"uid {uid}", "has no name on this system", "add it to the user database; peer authentication needs it"
        ) from None
    if wanted not in (None, name):
        raise AccountError(str(wanted), f"cannot be used by {name!r}", "run as root to use it, or leave it out")
    return Account(name, uid, os.getegid(), foreign=False)
