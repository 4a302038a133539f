"""What Esteio asks of the operating system: atomic files, a lock on a file, a program that dies with its parent.

Promises: after `atomic_write` has returned, the file survives a crash; a reader at any moment sees the old content or the
new one. The lock of `try_lock` ends with its process, however that ends, so nothing stale has to be removed by hand. A
program started with `die_with_parent` does not outlive who started it.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = [
    "atomic_write",
    "die_with_parent",
    "inherit_owner",
    "replace_file",
    "resident_bytes",
    "sync_directory",
    "try_lock",
]

_PLATFORM: str = sys.platform
_WINDOWS = os.name == "nt"
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TRIES, _PAUSE = 20, 0.05  # of a rename over a file that somebody reads; seconds
_RANGE, _SHARERS = 1 << 30, 64  # of bytes that are locked on Windows

# What CIFS and some FUSE file systems answer to an fsync of a directory; PostgreSQL passes over it as well.
_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)

# flock(2) says the first, a system that emulates it by fcntl(2), and Windows, the second.
_HELD = (errno.EWOULDBLOCK, errno.EACCES)

# Run between us and the program: asks the kernel to send it a signal when its parent ends, then looks at the parent,
# which may have ended before the kernel was asked. The account is changed here, as the kernel forgets the signal then, and
# as another account may not be able to run our Python.
_DIE_WITH_PARENT = (
    "import ctypes,os,sys;"
    "libc=ctypes.CDLL(None);"
    "parent,nice,number,user,group=map(int,sys.argv[1:6]);"
    "os.nice(nice);"
    "user<0 or (os.setgroups([]),os.setgid(group),os.setuid(user));"
    "libc.prctl(1,number,0,0,0);"
    "os.getppid()==parent or os._exit(143);"
    "os.execv(sys.argv[6],sys.argv[6:])"
)
_ONLY_NICE = "import os,sys;os.nice(int(sys.argv[1]));os.execv(sys.argv[2],sys.argv[2:])"


def atomic_write(path: Path, content: bytes) -> None:
    """Make `path` a file of `content` that only this account can read, in place of what was there.

    OSError when the system refuses; then the old content is still there, and nothing is left beside it.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace_file(Path(name), path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync_directory(path.parent)


def replace_file(source: Path, target: Path) -> None:
    """Rename `source` to `target`, in place of what was there; on Windows, once nobody has that open any more.

    Windows refuses it as long as somebody reads `target`; whoever reads a small file is done within a second, after which
    it is a PermissionError.
    """
    for _ in range(_TRIES if _WINDOWS else 0):
        with suppress(PermissionError):
            source.replace(target)
            return
        time.sleep(_PAUSE)
    source.replace(target)


def sync_directory(directory: Path) -> None:
    """Make the entries of `directory` durable; Windows does that by itself, and so do network shares that refuse it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise
    finally:
        os.close(handle)


def inherit_owner(path: Path) -> None:
    """As root, give the new `path` to the owner of its directory, so that root's files do not lock a service out."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = path.parent.stat()
        if owner.st_uid != 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def try_lock(handle: int, *, shared: bool = False) -> bool:
    """Lock the open file `handle` for this process, until it is closed; False at once when another process has it.

    Several may have it `shared` at a time; on Windows up to 64. OSError where the file can't be locked at all, such as on a
    share without locks: that must not look like a lock that is held for ever.
    """
    try:
        import fcntl
    except ImportError:
        return _lock_range(handle, shared=shared)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True


def _lock_range(handle: int, *, shared: bool) -> bool:
    """As `try_lock` on Windows, which locks ranges of bytes, each for one process.

    Who wants the lock alone takes the whole range, who shares it one byte of it. The range lies where no content is:
    others can't even read what is locked.
    """
    msvcrt: Any = importlib.import_module("msvcrt")
    places = range(_RANGE, _RANGE + _SHARERS) if shared else (_RANGE,)
    for place in places:
        os.lseek(handle, place, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1 if shared else _SHARERS)
        except OSError as error:
            if error.errno not in _HELD:
                raise
        else:
            return True
    return False


def resident_bytes(pid: int) -> int | None:
    """Memory of a process that is in RAM now; None where there is no such process, or no /proc."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_SIZE
    except (OSError, IndexError):  # it is a zombie: its file is empty
        return None


def die_with_parent(
    command: Sequence[str], *, nice: int = 0, number: int = signal.SIGTERM, account: tuple[int, int] = (-1, -1)
) -> list[str]:
    """The command line that runs `command`, whose first word is a path, so that it ends with us.

    On Linux the kernel sends it the signal `number` when the thread that started it ends, by kill -9 too: keep that thread
    while the program runs. Elsewhere it ends when it next reads from us or writes to us. `nice`, from 0 to 19, lowers its
    priority for the CPU and, as the kernel derives that from it (ionice(1)), for the disk. As root on Linux, `account` is the
    user id and the group id that it runs with.
    """
    if _PLATFORM == "linux":
        given = (os.getpid(), nice, int(number), *account)
        return [sys.executable, "-ISc", _DIE_WITH_PARENT, *map(str, given), *command]
    if nice and hasattr(os, "nice"):
        return [sys.executable, "-ISc", _ONLY_NICE, str(nice), *command]
    return list(command)
