"""The spool: where pg_receivewal writes, and where WAL stays until every store has it.

Promises: one directory for each cluster, named by its system identifier, so that files of two are never mixed. What lay
there before, in the layout without clusters, is moved to where its content says it belongs.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from esteio.backup.archive._records import Bytes, Header, commit_times, read_header
from esteio.backup.archive._segments import HISTORY, PARTIAL
from esteio.events import Event

__all__ = [
    "Content",
    "Limit",
    "Spool",
    "WalGap",
    "WalMended",
    "WalNotShipped",
    "WalShipped",
    "describe",
    "fill_up",
    "move_unsorted",
    "times_of",
]


@dataclass(frozen=True, slots=True)
class WalShipped(Event):
    """A file of WAL is in the stores named `stores`, `seconds` after it was complete."""

    file: str
    stores: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"{self.name}: {self.file} is in {', '.join(self.stores)} after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class WalNotShipped(Event):
    """WAL could not be brought to `store`; it is kept in the spool and tried again."""

    store: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.name}: WAL for {self.store} stays in the spool and is shipped later: {self.error}"


@dataclass(frozen=True, slots=True)
class WalMended(Event):
    """The object `file` was damaged in `store`, for `reason`, and was replaced by that of `origin`."""

    file: str
    store: str
    origin: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.file} in {self.store} was damaged ({self.reason}): replaced by that in {self.origin}"
        )


@dataclass(frozen=True, slots=True)
class WalGap(Event):
    """The server has removed WAL that was not received: nothing older can be brought up to now."""

    slot: str

    def __str__(self) -> str:
        return f"{self.name}: slot {self.slot} was lost, a part of the WAL is missing; make a base backup now"


@dataclass(frozen=True, slots=True)
class Limit:
    """How many bytes the spool may hold, and what happens then.

    With `release` what at least one store has leaves the spool, and is brought to the others from there; without, or
    where no store has it, receiving stops and the server keeps its WAL (`max_slot_wal_keep_size`). Both are red.
    """

    bytes: int = 16 << 30
    release: bool = False

    def __post_init__(self) -> None:
        if self.bytes < 64 << 20:
            msg = f"Limit: bytes is {self.bytes}; allowed: 64 MiB ({64 << 20}) or more"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file of WAL is: its sha256, and for a segment its header and when transactions in it ended."""

    sha256: str
    header: Header | None
    times: tuple[float, float] | None


class Spool:
    """The directory of one cluster; `closed` when nothing is received into it any more."""

    def __init__(self, directory: Path, *, closed: bool = False) -> None:
        self.directory = directory
        self.closed = closed
        self._known: dict[tuple[str, int, int], Content] = {}
        self._lock = threading.Lock()

    @property
    def system(self) -> str:
        """The system identifier of the cluster."""
        return self.directory.name

    def complete(self) -> list[Path]:
        """Complete files, the oldest first; a history file before the segments of its timeline."""
        # A history file of 00000002 sorts before its segments: "." comes before digits.
        return sorted(path for path in self._files() if not path.name.endswith((PARTIAL, ".tmp")))

    def partial(self) -> list[Path]:
        """The unfinished segments; one, but for those that a switch of timelines left behind."""
        return sorted(path for path in self._files() if path.name.endswith(PARTIAL))

    def size(self) -> int:
        """Bytes of all complete files."""
        return sum(_size(path) for path in self.complete())

    def content(self, path: Path) -> Content:
        """What a complete file is; read once, for all stores. FileNotFoundError when it has been shipped."""
        about = path.stat()
        known = (path.name, about.st_size, about.st_mtime_ns)
        with self._lock:  # while one shipper reads it, the others wait for what it finds
            if known not in self._known:
                self._known[known] = describe(path)
            return self._known[known]

    def remove(self, path: Path) -> None:
        """Every store has it."""
        path.unlink(missing_ok=True)
        with self._lock:
            self._known = {known: content for known, content in self._known.items() if known[0] != path.name}

    def _files(self) -> Iterator[Path]:
        for path in self.directory.iterdir() if self.directory.is_dir() else ():
            if not path.name.startswith(".") and path.is_file():
                yield path


def describe(path: Path) -> Content:
    """Read a file of WAL once."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if path.name.endswith(HISTORY):
            return Content(sha256, None, None)
        with _mapped(file.fileno()) as data:
            return Content(sha256, read_header(data), commit_times(data, int(path.name[:8], 16)))


def times_of(path: Path, timeline: int) -> tuple[float, float] | None:
    """When the first and last transaction in a segment ended, the unfinished one included."""
    with path.open("rb") as file, _mapped(file.fileno()) as data:
        return commit_times(data, timeline)


def fill_up(path: Path, size: int) -> None:
    """Give an unfinished segment its full `size`: who was killed while making it left it shorter, and refuses it."""
    if 0 < path.stat().st_size < size:
        with path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())


def move_unsorted(root: Path, present: str) -> None:
    """Move files that lie in `root` itself to the directory of their cluster; those that do not tell, to `present`'s."""
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.is_file() and not path.name.startswith(".") and path.suffix in ("", PARTIAL, HISTORY):
            with path.open("rb") as file:
                header = None if path.suffix == HISTORY else read_header(file.read(64))
            target = root / (header.system if header else present)
            target.mkdir(mode=0o700, exist_ok=True)
            path.rename(target / path.name)


@contextmanager
def _mapped(handle: int) -> Iterator[Bytes]:
    if os.fstat(handle).st_size == 0:
        yield b""
        return
    with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as data:
        yield data


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
