"""From the directory where the log is received into the stores.

Promises: a file leaves the directory only after at least one store has it whole and durable. The unfinished segment
is copied too, under its own name, so that distant stores are never more than a minute behind. History files are not
encrypted: they hold numbers of timelines and positions, and are read before a key is needed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from esteio import events
from esteio.backup.packing import Packing
from esteio.backup.physical._events import WalShipped
from esteio.backup.store import Placement, Stores
from esteio.clock import Clock

__all__ = ["FOLDER", "HISTORY", "KEYS", "PARTIAL", "Shipping", "fill_up", "wal_key"]

FOLDER = "wal"
PARTIAL = ".partial"
HISTORY = ".history"
KEYS = "keys"


def wal_key(file: str, suffix: str) -> str:
    """Where a file of the log lies in a store: a folder for each timeline."""
    return f"{FOLDER}/{file[:8]}/{file}{suffix}"


def fill_up(path: Path, size: int) -> None:
    """Give an unfinished segment its full `size`: who was killed while making it left it shorter, and refuses it."""
    if 0 < path.stat().st_size < size:
        with path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())


class Shipping:
    """Ships what `directory` holds; one thread at a time."""

    def __init__(self, name: str, directory: Path, stores: Stores, packing: Packing, clock: Clock) -> None:
        self._name = name
        self._directory = directory
        self._stores = stores
        self._packing = packing
        self._clock = clock
        self._partial_at = 0.0
        self._sealed = packing.encryption is None or packing.encryption.key_file is None

    def waiting(self) -> list[Path]:
        """Complete files that are in no store yet, oldest first."""
        found = (path for path in self._directory.iterdir() if not path.name.endswith((PARTIAL, ".tmp")))
        return sorted(path for path in found if path.is_file() and not path.name.startswith("."))

    def written(self, paths: Iterable[Path]) -> list[float]:
        """When each of `paths` that is still there was last written, in seconds since the epoch."""
        found = []
        for path in paths:
            with suppress(FileNotFoundError):
                found.append(path.stat().st_mtime)
        return found

    def ship(self) -> None:
        """Ship what is complete; AllStoresFailed leaves it where it is."""
        if not self._sealed:
            self._keep_key_file()
        for path in self.waiting():
            complete = path.stat().st_mtime
            placed = self._put(path, path.name)
            path.unlink()
            self._stores.delete(wal_key(path.name + PARTIAL, self._packing.suffix))
            self._tell(path.name, placed, complete)

    def ship_partial(self, *, every: float) -> None:
        """Copy the unfinished segment when it changed and `every` seconds went by."""
        now = self._clock.time()
        for path in self._directory.glob("*" + PARTIAL):
            changed = path.stat().st_mtime
            if now - self._partial_at >= every and changed > self._partial_at:
                self._put(path, path.name)
                self._partial_at = now

    def set_aside(self) -> None:
        """Ship all, the unfinished segment for good: nothing will be added to it, and nothing goes on from here."""
        self.ship()
        for path in self._directory.glob("*" + PARTIAL):
            self._put(path, path.name)
            path.unlink()

    def _put(self, path: Path, file: str) -> Placement:
        packing = replace(self._packing, encryption=None) if file.endswith(HISTORY) else self._packing
        with path.open("rb") as source, self._stores.open(wal_key(file, packing.suffix)) as upload:
            packing.pack(source, upload)
            return upload.commit()

    def _keep_key_file(self) -> None:
        assert self._packing.encryption is not None
        content = self._packing.encryption.key_file or b""
        self._stores.put(f"{FOLDER}/{KEYS}/{hashlib.sha256(content).hexdigest()[:16]}.age", content)
        self._sealed = True

    def _tell(self, file: str, placed: Placement, complete: float) -> None:
        if events.active():
            seconds = max(0.0, self._clock.time() - complete)
            events.emit(WalShipped(self._name, file, tuple(placed.stored), seconds))
