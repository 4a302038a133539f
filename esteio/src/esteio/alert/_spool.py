"""The spool: notices that wait for their channel, one file for each notice and channel.

Promises: what was added survives a crash, unless the directory can't be written: then it is kept in memory, and the log
says so, because a full disk is no reason to tell nobody. Never more than `MOST` files: the oldest successes go first,
then warnings, then failures. The directory is ours alone.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from esteio.alert._lock import claimed
from esteio.alert._notice import Notice
from esteio.clock import Clock
from esteio.system import atomic_write, sync_directory

__all__ = ["MOST", "Spool", "SpooledNotice"]

MOST = 1000
_ORDER = ("success", "warning", "failure")
_logger = logging.getLogger("esteio.alert")


@dataclass(frozen=True, slots=True)
class SpooledNotice:
    """A notice that the channel `key` has not taken; refused since `refused`, seconds since the epoch."""

    name: str
    key: str
    notice: Notice
    refused: float | None = None


class Spool:
    """What `directory` holds; made when it is first needed, its parent too."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._guard = threading.Lock()
        self._unwritten: dict[str, SpooledNotice] = {}
        self._claims: dict[str, threading.Lock] = {}

    def add(self, notice: Notice, keys: Sequence[str], token: str | None = None) -> None:
        """Owe `notice` to each channel; with the same `token` as one that is owed, it is that one."""
        stamp = f"{max(0, int(notice.at * 1000)):015d}-{token or secrets.token_hex(4)}"
        for key in keys:
            self._write(SpooledNotice(f"{stamp}-{key}.json", key, notice))
        self._trim()

    def owed(self) -> list[SpooledNotice]:
        """All that is owed, the oldest first."""
        with self._guard:
            found = dict(self._unwritten)
        for path in self._files():
            owed = _read(path)
            if owed is not None:
                found[owed.name] = owed
        return [found[name] for name in sorted(found)]

    def refuse(self, owed: SpooledNotice, at: float) -> None:
        """Remember that it was refused, for the first time, `at`."""
        self._write(replace(owed, refused=at))

    def remove(self, owed: SpooledNotice) -> None:
        """It is owed no more."""
        with self._guard:
            self._unwritten.pop(owed.name, None)
        path = self._directory / owed.name
        try:
            path.unlink(missing_ok=True)
            if self._directory.is_dir():
                sync_directory(self._directory)
        except OSError as error:
            _logger.warning("%s cannot be removed (%s): its notice may come twice", path, error.strerror)

    @contextmanager
    def claimed(self, key: str, until: float) -> Iterator[bool]:
        """Whether nobody else, thread or process, tells the channel `key` within the block."""
        with self._guard:
            claim = self._claims.setdefault(key, threading.Lock())
        if not claim.acquire(timeout=max(0.0, until - self._clock.monotonic())):
            yield False
            return
        try:
            with claimed(self._directory / f".{key}.lock", until, self._clock) as ours:
                yield ours
        finally:
            claim.release()

    def _write(self, owed: SpooledNotice) -> None:
        record = {"key": owed.key, "refused": owed.refused, "notice": owed.notice.to_json()}
        try:
            self._prepare()
            atomic_write(self._directory / owed.name, json.dumps(record, ensure_ascii=False).encode())
        except OSError as error:
            _logger.warning("notices in %s: %s; kept in memory instead", self._directory, error.strerror or error)
            with self._guard:
                self._unwritten[owed.name] = owed
        else:
            with self._guard:
                self._unwritten.pop(owed.name, None)

    def _prepare(self) -> None:
        self._directory.parent.mkdir(mode=0o700, exist_ok=True)
        self._directory.mkdir(mode=0o700, exist_ok=True)
        if not self._usable():
            raise PermissionError(1, "it belongs to somebody else, or is no directory")

    def _usable(self) -> bool:
        try:
            found = self._directory.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == getattr(os, "geteuid", lambda: found.st_uid)()

    def _files(self) -> list[Path]:
        if not self._usable():
            return []
        with suppress(OSError):
            return [path for path in self._directory.glob("*.json") if not path.name.startswith(".")]
        return []

    def _trim(self) -> None:
        if len(self._files()) + len(self._unwritten) <= MOST:
            return
        owed = self.owed()
        ordered = sorted(owed, key=lambda each: (_ORDER.index(each.notice.level), each.name))
        for each in ordered[: len(owed) - MOST]:
            _logger.warning("more than %d notices are owed: %r is dropped", MOST, each.notice.subject)
            self.remove(each)


def _read(path: Path) -> SpooledNotice | None:
    """None when it was removed meanwhile, or is no notice."""
    try:
        given = json.loads(path.read_bytes())
        refused = given["refused"]
        notice = Notice.from_json(given["notice"])
        return SpooledNotice(path.name, str(given["key"]), notice, None if refused is None else float(refused))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _logger.warning("%s is no notice (%s); it is removed", path, error)
        with suppress(OSError):
            path.unlink()
        return None
