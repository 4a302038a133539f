"""The file itself: made by one process, opened by many, checked by all.

Promises: it belongs to the user that made it and nobody else can read it; its space is reserved when it is made, so
that a full disk is an error then and not a crash later; it is complete when it appears under its name.
"""

from __future__ import annotations

import mmap
import os
import stat
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes, token_hex

from esteio.limit._errors import HostStoreError
from esteio.limit.host._layout import HEADER_BYTES, WAYS, Header
from esteio.limit.host._locks import SUPPORTED

__all__ = ["create", "open_again", "open_checked"]

_MAKE = "let the supervisor make it with HostStore.create(path) before its workers start"


def create(path: Path, keys: int, workers: int) -> None:
    """Make the file, in the place of what had its name."""
    _check_support(path)
    header = Header(-(-keys // WAYS), workers, token_bytes(16))
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, header.size)
            os.pwrite(descriptor, header.pack(), 0)
        finally:
            os.close(descriptor)
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        cause = error.strerror or str(error)
        remedy = f"it needs {header.size >> 20} MiB in a directory its user may write; choose another or fewer keys"
        raise HostStoreError(str(path), cause, remedy) from error


def open_checked(path: Path) -> tuple[int, mmap.mmap, Header]:
    """The open file, its memory and its header, if it is what it should be."""
    _check_support(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise HostStoreError(str(path), error.strerror or str(error), _MAKE) from error
    try:
        header = _checked(path, descriptor)
        return descriptor, mmap.mmap(descriptor, header.size), header
    except BaseException:
        os.close(descriptor)
        raise


def open_again(descriptor: int) -> int:
    """The same file opened a second time, whatever has its name by now; the first descriptor is closed."""
    again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
    os.close(descriptor)
    return again


def _checked(path: Path, descriptor: int) -> Header:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise HostStoreError(str(path), "it is not a file", _MAKE)
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        cause = f"it belongs to user {status.st_uid} with mode {stat.S_IMODE(status.st_mode):o}"
        raise HostStoreError(str(path), cause, f"it has to be of user {os.geteuid()} with mode 600; remove it, {_MAKE}")
    header = Header.unpack(os.pread(descriptor, HEADER_BYTES, 0))
    if header is None:
        raise HostStoreError(str(path), "it is no file of this version of Esteio", _MAKE)
    if header.sets < 1 or header.size != status.st_size:
        cause = f"it has {status.st_size} bytes and should have {header.size}"
        raise HostStoreError(str(path), cause, _MAKE)
    return header


def _check_support(path: Path) -> None:
    if not SUPPORTED:
        raise HostStoreError(
            str(path), "this system has no locks of open files (Linux has)", "use Redis, or one worker"
        )
