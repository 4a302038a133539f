"""A file on its way in: written to the disk as it comes.

Promises: no more of it than a megabyte is in memory, half of it being hashed and written while the other half comes. What is
kept as it came is put on the disk (fsync) from time to time while the rest comes, so that little is left to wait for;
`on_disk` waits for all of it. `close` returns when all is written. What is too large, of a type that is not taken, or finds no
room is not written on: the rest is passed over, so that the client can finish sending and read the answer. Whoever makes one
calls `discard` in the end; killed in between, its file is removed by the sweep of `FileStore`.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sispat.kernel.errors import SispatError
from sispat.kernel.files._errors import FileRefused, NoRoom, Reason
from sispat.kernel.files._formats import HEAD, IMAGES, sniff
from sispat.kernel.files._names import visible

__all__ = ["Incoming", "no_room"]

_BUFFER = 1 << 19  # bytes written at once: a thread for each chunk of a socket would cost more than the writing
_SYNCED = (
    4 << 20
)  # bytes after which the disk is asked for them: more often, a slow one would be asked for more than it needs
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def no_room(error: OSError) -> bool:
    """Whether a disk is full, or what this account may have of it (EFBIG: RLIMIT_FSIZE)."""
    return error.errno in _FULL


class Incoming:
    """One file that is being received into `folder`, of at most `limit` bytes; `failure` is why it is not taken.

    `sniffed`: only what begins like a format of ours is written on. `prepare` makes the folder, before the first byte.
    """

    def __init__(
        self, folder: Path, field: str, filename: str, limit: int, *, prepare: Callable[[], None], sniffed: bool = True
    ) -> None:
        self.field = field
        self.name = visible(filename)
        self.size = 0
        self.sha256 = b""
        self.format = ""
        """A `Format`, or `ARCHIVE`, once its beginning was seen."""
        self.failure: SispatError | None = None
        self.path = folder / f"{secrets.token_hex(16)}.part"
        self._limit = limit
        self._prepare = prepare
        self._sniffed = sniffed
        self._buffer = bytearray()
        # A request that is cancelled leaves its thread behind: it must neither write to a descriptor that is closed, and
        # perhaps somebody else's by now, nor make the file anew.
        self._writing = threading.Lock()
        self._discarded = False
        self._hash = hashlib.sha256()
        self._handle: int | None = None
        self._under_way: asyncio.Future[OSError | None] | None = None
        self._since_sync = 0
        self._syncing: asyncio.Future[OSError | None] | None = None

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.failure is not None:
            return
        self.size += len(data)
        if self.size > self._limit:
            self._refuse(FileRefused(Reason.TOO_LARGE, limit=self._limit / (1 << 20)))
            return
        self._buffer += data
        if not self.format and len(self._buffer) >= HEAD:
            self._look()
        if len(self._buffer) >= _BUFFER:
            await self._write_out()

    async def close(self) -> None:
        """The file is whole."""
        if self.failure is None and not self.format:
            self._look()
        await self._write_out()
        await self._written()
        self.sha256 = self._hash.digest()
        self._close_handle()

    async def on_disk(self) -> OSError | None:
        """Put all of it on the disk, unless something else is kept of it, as of a picture; why not."""
        if self.format in IMAGES:
            return None
        # An error is told once, to whoever asked first: what went wrong before is not told to the second.
        early = None if self._syncing is None else await self._syncing
        return early or await asyncio.to_thread(self._sync)

    def discard(self) -> None:
        """Remove what is left of it; called any number of times."""
        self._discarded = True
        self._close_handle()
        self._buffer.clear()
        with suppress(FileNotFoundError):
            self.path.unlink()

    def _look(self) -> None:
        if not self._sniffed:
            self.format = "?"
            return
        try:
            self.format = sniff(bytes(self._buffer[:HEAD]))
        except FileRefused as refused:
            self._refuse(refused)

    async def _write_out(self) -> None:
        await self._written()
        if self.failure is None and (self._buffer or self._handle is None):
            content, self._buffer = self._buffer, bytearray()
            self._under_way = asyncio.get_running_loop().run_in_executor(None, self._append, content)
            self._since_sync += len(content)

    async def _written(self) -> None:
        """Wait for what is being written."""
        under_way, self._under_way = self._under_way, None
        error = None if under_way is None else await under_way
        if error is not None:
            if not no_room(error):
                raise error
            self._refuse(NoRoom())
        elif self._since_sync >= _SYNCED and (self._syncing is None or self._syncing.done()):
            self._sync_early()

    def _sync_early(self) -> None:
        """Begin to put on the disk what is written, where that is what is kept; nothing waits for it until the end."""
        failed = self._syncing is not None and self._syncing.result() is not None
        if self._sniffed and self.format not in IMAGES and not failed:
            self._syncing = asyncio.get_running_loop().run_in_executor(None, self._sync)
            self._since_sync = 0

    def _sync(self) -> OSError | None:
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
        except OSError as error:
            return None if self._discarded else error
        return None

    def _append(self, content: bytearray) -> OSError | None:
        """Hash and write; what went wrong is returned, because nobody may wait for it any more."""
        with self._writing:
            if self._discarded:
                return None
            try:
                if self._handle is None:
                    self._prepare()
                    self._handle = os.open(self.path, _NEW, 0o600)
                self._hash.update(content)
                view = memoryview(content)
                while view:
                    view = view[os.write(self._handle, view) :]
            except OSError as error:
                return error
        return None

    def _refuse(self, failure: SispatError) -> None:
        self.failure = failure.of(self.name or "?") if isinstance(failure, FileRefused) else failure
        self.discard()

    def _close_handle(self) -> None:
        with self._writing:
            if self._handle is not None:
                handle, self._handle = self._handle, None
                os.close(handle)
