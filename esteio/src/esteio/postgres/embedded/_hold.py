"""A data directory that is about to be replaced: no server starts on it meanwhile.

Promises: a server that is starting is waited for, then none starts until the hold ends, and the hold ends with its
process, however that ends. A replacement that was cut off between its two renames is completed by the next start: there
is never an empty directory where data was. Where the directory's parent can't be written to, nothing can be replaced
either, and nothing is held. The file lies beside the directory, `.NAME.hold`; it is empty but while it is held.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from esteio.clock import SYSTEM, Clock
from esteio.postgres.embedded._errors import DataDirectoryError, DataDirectoryHeld

with suppress(ImportError):  # Windows has none, and no embedded server runs there that could be held
    import fcntl

__all__ = ["Hold", "hold_file", "unheld"]

_logger = logging.getLogger("esteio.postgres")

_POLL = 0.02
_START_PATIENCE = 120.0


def hold_file(directory: Path) -> Path:
    """The file that is locked for the data directory `directory`."""
    return directory.with_name(f".{directory.name}.hold")


class Hold:
    """No server starts on `directory` within the block. DataDirectoryHeld when another process has it.

    `reason` is what a server that waits says in its log.
    """

    def __init__(self, directory: Path, reason: str, *, clock: Clock = SYSTEM) -> None:
        self.directory = directory
        self._reason = reason
        self._clock = clock
        self._handle = -1

    def __enter__(self) -> Self:
        try:
            self._handle = _open(hold_file(self.directory))
            try:
                self._take(self._clock.monotonic() + _START_PATIENCE)
                _finish(self._handle, self.directory)
                self._say()
            except BaseException:
                os.close(self._handle)
                raise
        except OSError as error:
            problem = f"{hold_file(self.directory)}: {error.strerror}"
            advice = "let this account write to the directory above it, on a file system with locks"
            raise DataDirectoryError(self.directory, problem, advice) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        _finish(self._handle, self.directory)
        os.close(self._handle)

    def replacing(self, new: Path) -> None:
        """`new` is about to take the place of the directory; called before anything is renamed."""
        self._say(new=str(new))

    def _take(self, deadline: float) -> None:
        """Starts that are under way end soon; another hold may take long."""
        while not _locked(self._handle, fcntl.LOCK_EX):
            starting = _locked(self._handle, fcntl.LOCK_SH)
            if not starting or self._clock.monotonic() > deadline:
                raise DataDirectoryHeld(self.directory, _read(self._handle).get("pid"))
            fcntl.flock(self._handle, fcntl.LOCK_UN)
            self._clock.sleep(_POLL)

    def _say(self, **more: str) -> None:
        os.ftruncate(self._handle, 0)
        said = {"pid": os.getpid(), "reason": self._reason, **more}
        os.pwrite(self._handle, json.dumps(said).encode(), 0)
        os.fsync(self._handle)


@contextmanager
def unheld(directory: Path, given_up: threading.Event, *, clock: Clock = SYSTEM) -> Iterator[bool]:
    """Wait until nobody holds `directory`; nobody does within the block. False when `given_up` was set meanwhile."""
    try:
        handle = _open(hold_file(directory))
    except OSError:
        yield True
        return
    try:
        free = _await(lambda: _locked(handle, fcntl.LOCK_SH), handle, directory, given_up, clock)
        if free:
            _finish(handle, directory)
        yield free
    finally:
        os.close(handle)


def _await(free: Callable[[], bool], handle: int, directory: Path, given_up: threading.Event, clock: Clock) -> bool:
    told = False
    while not free():
        if given_up.is_set():
            return False
        if not told and (said := _read(handle)):
            told = True
            _logger.warning(
                "PostgreSQL in %s is not started yet: process %s holds it (%s)",
                directory, said.get("pid"), said.get("reason"),
            )  # fmt: skip
        clock.sleep(_POLL)
    if told:
        _logger.info("PostgreSQL in %s is started: nobody holds it any more", directory)
    return True


def _finish(handle: int, directory: Path) -> None:
    """Complete a replacement whose first rename was its last, and forget it."""
    if os.fstat(handle).st_size == 0:
        return
    new = _read(handle).get("new")
    if new and not directory.exists() and Path(new).is_dir():
        with suppress(FileNotFoundError):  # another start was faster
            Path(new).rename(directory)
            _logger.warning(
                "PostgreSQL data directory %s: its interrupted replacement by %s is complete", directory, new
            )
    os.ftruncate(handle, 0)


def _open(path: Path) -> int:
    """Of whoever owns the directory it is in: root must not lock the service out."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    above = path.parent.stat()
    if os.geteuid() == 0 and os.fstat(handle).st_uid != above.st_uid:
        os.fchown(handle, above.st_uid, above.st_gid)
    return handle


def _locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        if kind == fcntl.LOCK_SH:
            return True  # without locks nobody can hold it, and it must start all the same
        raise
    return True


def _read(handle: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(handle, 4096, 0))
    except (OSError, ValueError):  # empty, or being written right now
        return {}
    return found if isinstance(found, dict) else {}
