"""The data directory: where it really lies, whose it is, and how it comes into being.

Promises: a directory appears whole or not at all, however often its making is interrupted; directories
that are not ours keep their owner and mode. Where the server's account cannot reach the requested path,
the data lies in /var/lib/esteio and the requested path is a link to it. Where a cluster was once, none is made in its
place: a directory that vanished is an accident and no first start. What says so lies beside it, `.NAME.cluster`.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from esteio.postgres.embedded._account import Account
from esteio.postgres.embedded._binaries import Binaries
from esteio.postgres.embedded._errors import DataDirectoryError, DataDirectoryVanished, MajorMismatch
from esteio.system import sync_directory

__all__ = ["SUPERUSER", "create_cluster", "has_cluster", "locate", "mark_cluster", "marker_file"]

_logger = logging.getLogger("esteio.postgres")

SUPERUSER = "postgres"
_FALLBACK = Path("/var/lib/esteio")
_INITDB_SECONDS = 300.0


def locate(requested: Path, account: Account) -> Path:
    """The directory for the data of `requested`, its parents made; DataDirectoryError when that cannot be."""
    if requested.exists():
        return _existing(requested.resolve(), account)
    if requested.is_symlink() and _FALLBACK not in requested.readlink().parents:
        raise DataDirectoryError(
            requested, f"a link to {requested.readlink()}, which does not exist", "remove the link"
        )
    try:
        requested.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(requested, error) from error
    if account.can_enter(requested.parent):
        if not os.access(requested.parent, os.W_OK):
            raise _unwritable(requested, PermissionError(errno.EACCES, "no permission to write to its parent"))
        return requested.parent.resolve() / requested.name
    return _elsewhere(requested, account)


def marker_file(directory: Path) -> Path:
    """The file that says that there was a cluster in `directory` once."""
    return directory.with_name(f".{directory.name}.cluster")


def has_cluster(directory: Path) -> bool:
    """Whether there is a cluster in `directory`, of whichever major."""
    return (directory / "PG_VERSION").exists()


def mark_cluster(directory: Path) -> None:
    """Note beside `directory` that there is a cluster in it; where that can't be written, its loss is not noticed."""
    text = (
        f"There was a PostgreSQL cluster in {directory.name} at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}. While this file is "
        "here and the cluster is not, no empty one is made in its place.\n"
    )
    try:
        handle = os.open(marker_file(directory), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except OSError:  # noted before, or nothing can be written there
        return
    with os.fdopen(handle, "w") as file:
        above = directory.parent.stat()
        if os.geteuid() == 0 and above.st_uid != 0:
            os.fchown(handle, above.st_uid, above.st_gid)
        file.write(text)
        file.flush()
        os.fsync(handle)
    sync_directory(directory.parent)


def create_cluster(directory: Path, binaries: Binaries, account: Account, *, sync: bool, again: bool | None) -> bool:
    """Make a new cluster in `directory` unless there is one; whether it was made.

    Where there was one before, only with `again` (None: not where there was one; False: nowhere): DataDirectoryVanished.
    MajorMismatch when the one there is of another major, DataDirectoryError when something else is there.
    """
    if _check_content(directory, binaries.major):
        return False
    if again is False or (again is None and marker_file(directory).exists()):
        raise DataDirectoryVanished(directory, marker_file(directory))
    _remove_unfinished(directory)
    unfinished = None
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=_prefix(directory) + f"{os.getpid()}.", dir=directory.parent))
        account.own(unfinished)
        _initdb(unfinished, binaries, account, sync=sync)
        unfinished.rename(directory)
        sync_directory(directory.parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and _check_content(directory, binaries.major):
            return False  # another process made it meanwhile
        raise _unwritable(directory, error) from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
    return True


def _existing(directory: Path, account: Account) -> Path:
    if not directory.is_dir():
        raise DataDirectoryError(directory, "a file is in the way", "remove the file or set another data directory")
    owner = directory.stat().st_uid
    if owner == account.uid or (account.foreign and not any(directory.iterdir())):
        if not account.can_enter(directory.parent):
            advice = f"move it, or let {account.name} enter the directories above it"
            raise DataDirectoryError(directory, f"account {account.name} cannot reach it", advice)
        return directory
    advice = f"name that account, or hand the directory to {account.name} (chown -R)"
    raise DataDirectoryError(directory, f"belongs to uid {owner}, the server runs as {account.name}", advice)


def _elsewhere(requested: Path, account: Account) -> Path:
    """A reachable directory for `requested`, which becomes a link to it."""
    place = _FALLBACK / hashlib.sha256(os.fsencode(requested)).hexdigest()[:12]
    try:
        _FALLBACK.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not requested.is_symlink():
            requested.symlink_to(place)
            _logger.warning("account %s cannot reach %s: the data lies in %s", account.name, requested, place)
        return place.resolve()
    except OSError as error:
        raise _unwritable(place, error) from error


def _check_content(directory: Path, major: int) -> bool:
    """Whether `directory` has a cluster of `major`; False when there is nothing."""
    try:
        found = (directory / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        if directory.exists() and any(directory.iterdir()):
            advice = "empty it or set another data directory"
            raise DataDirectoryError(directory, "neither empty nor a PostgreSQL data directory", advice) from None
        return False
    except OSError as error:
        raise _unwritable(directory, error) from error
    if found != str(major):
        raise MajorMismatch(directory, found=found, wanted=major)
    return True


def _initdb(directory: Path, binaries: Binaries, account: Account, *, sync: bool) -> None:
    command = [
        str(binaries.program("initdb")),
        f"--pgdata={directory}",
        f"--username={SUPERUSER}",
        "--auth=peer",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
        *(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if binaries.major >= 17 else []),
        *([] if sync else ["--no-sync"]),
    ]
    said = subprocess.run(  # noqa: S603
        command,
        cwd=directory,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_INITDB_SECONDS,
        **account.popen,
    )
    if said.returncode != 0:
        last = " / ".join(said.stdout.strip().splitlines()[-3:])
        raise DataDirectoryError(directory, f"initdb ended with {said.returncode}: {last}", "see its message")


def _prefix(directory: Path) -> str:
    return f".{directory.name}.initdb-"


def _remove_unfinished(directory: Path) -> None:
    """Remove what interrupted attempts left beside `directory`."""
    for path in directory.parent.glob(_prefix(directory) + "*"):
        pid = path.name[len(_prefix(directory)) :].partition(".")[0]
        if not (pid.isdigit() and Path(f"/proc/{pid}").exists()):
            shutil.rmtree(path, ignore_errors=True)


def _unwritable(directory: Path, error: OSError) -> DataDirectoryError:
    return DataDirectoryError(
        directory,
        f"cannot be written: {error.strerror or error}",
        "make its parent writable for us or set another data directory",
    )
