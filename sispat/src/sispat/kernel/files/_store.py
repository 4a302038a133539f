"""Where the contents of documents lie: each content once, under the name of its sha256, in a folder or an object store.

Promises: a content is whole and durable before `place` returns, hence before the row that refers to it can be committed;
what a kill leaves behind - a part of an upload, a content without a row - is found by its age and removed. What is being
received lies in a folder of this machine that backups pass over (CACHEDIR.TAG, as tar, restic and borg do).

Whoever places or removes a content holds the lock of its row (`sispat.documentos.sql`), so that none is removed that
another request is about to refer to, on whichever machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from esteio.system import inherit_owner
from sispat.kernel.files._incoming import Incoming
from sispat.kernel.files._inspection import Inspected, Inspection

__all__ = ["FOLDERS", "FileStore", "LocalContent", "RemoteContent", "key_of", "sha256_of"]

_INCOMING = ".recebendo"
# https://bford.info/cachedir/: the first 43 bytes are what marks it
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Parts of uploads: not worth a place in a backup.\n"
_FORGOTTEN = 3600.0  # seconds without a byte: no client may be that slow
_SMALL = ".small"
FOLDERS = 256


@dataclass(frozen=True, slots=True)
class LocalContent:
    """A content that is a file of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class RemoteContent:
    """A content of `size` bytes; `read(start, length)` brings a part of it, which is there. Raises `StoreAway`."""

    size: int
    read: Callable[[int, int], bytes]


def key_of(sha256: bytes, *, small: bool = False) -> str:
    """The relative path of a content, or of its small picture; the same in every store."""
    name = sha256.hex()
    return f"{name[:2]}/{name}{_SMALL if small else ''}"


def sha256_of(name: str) -> bytes | None:
    """The content that a file called `name`, without its folder, belongs to; None where it is no content."""
    with suppress(ValueError):
        if len(bare := name.removesuffix(_SMALL)) == 64:
            return bytes.fromhex(bare)
    return None


class FileStore:
    """Contents; what is being received is in a folder below `directory`, which is made when the first one comes.

    Not an ABC: a slice asks the service for it by this class, and a type checker lets no abstract class be asked for.
    """

    shared = False
    """Whether other machines have the same, but for what was not brought there yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inspection = Inspection()
        self._incoming = directory / _INCOMING

    def find(self, sha256: bytes, *, small: bool = False) -> LocalContent | RemoteContent | None:
        """A content, or its small picture; None where it is not there. Blocks. Raises `StoreAway`."""
        raise NotImplementedError

    def place(self, content: Inspected) -> None:
        """Keep `content`; blocks for as long as that takes. Raises `NoRoom`, `StoreAway`; then nothing refers to it.

        The small picture comes first, so that where there is a content there is all of it. One that is there already stays.
        """
        raise NotImplementedError

    def remove(self, sha256: bytes) -> None:
        """Remove a content to which nothing refers; the content first, for the reason that it comes last. Blocks."""
        raise NotImplementedError

    def old_contents(self, folder: int, age: float) -> list[bytes]:
        """What has been in one of the 256 folders for `age` seconds, contents and small pictures, by the sha256. Blocks."""
        raise NotImplementedError

    def receive(self, field: str, filename: str, limit: int, *, sniffed: bool = True) -> Incoming:
        """A file that is about to come, of at most `limit` bytes."""
        return Incoming(self._incoming, field, filename, limit, prepare=self._mark, sniffed=sniffed)

    async def close(self) -> None:
        """End what waits for files."""
        await self.inspection.close()

    def _mark(self) -> None:
        if (self._incoming / "CACHEDIR.TAG").exists():
            return
        new = not self.directory.exists()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        (self._incoming / "CACHEDIR.TAG").write_bytes(_TAG)
        for made in (self.directory, self._incoming) if new else (self._incoming,):
            inherit_owner(made)

    def forget_parts(self, age: float = _FORGOTTEN) -> int:
        """Remove what nobody has written to for `age` seconds of what was being received; how many files."""
        removed, now = 0, time.time()
        for path in self._parts():
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime > age:
                    path.unlink()
                    removed += 1
        return removed

    def _parts(self) -> Iterator[Path]:
        if self._incoming.is_dir():
            yield from (path for path in self._incoming.iterdir() if path.name != "CACHEDIR.TAG")
