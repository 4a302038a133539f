"""The private directory of the server's Unix socket.

Promises: short enough for a socket's path (107 bytes), owned by the server's account and closed to all
others; a directory or link that somebody else put there is refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from esteio.postgres.embedded._account import Account
from esteio.postgres.embedded._errors import SocketDirectoryError

__all__ = ["socket_directory"]

_LONGEST = 107 - len("/.s.PGSQL.65535.lock")


def socket_directory(data_dir: Path, account: Account) -> Path:
    """The directory for the socket of the server on `data_dir`, made when missing."""
    name = "esteio-" + hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    parents = _parents(account)
    for parent in parents:
        directory = parent / name
        try:
            directory.mkdir(mode=0o700)
            account.own(directory)
        except FileExistsError:
            _verify(directory, account)
        except OSError:
            continue
        return directory
    raise SocketDirectoryError(parents[-1] / name, "cannot be made")


def _parents(account: Account) -> list[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    wanted = [Path("/run")] if account.foreign else [Path(runtime)] if runtime else []
    wanted += [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - the directory in it is private and verified
    fitting = [p for p in wanted if len(os.fsencode(p)) + len("/esteio-") + 12 <= _LONGEST]
    return [p for p in fitting if account.can_enter(p)] or [Path("/tmp")]  # noqa: S108


def _verify(directory: Path, account: Account) -> None:
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise SocketDirectoryError(directory, "exists and is no directory")
    if found.st_uid == os.geteuid():
        account.own(directory)  # ours, and perhaps left behind before it changed hands
    elif found.st_uid != account.uid:
        raise SocketDirectoryError(directory, f"belongs to uid {found.st_uid}, not to {account.name}")
    if found.st_mode & 0o077:
        raise SocketDirectoryError(directory, f"open to others (mode {stat.S_IMODE(found.st_mode):04o})")
