"""Python as it is on Windows, as far as Linux can play that: what only POSIX has is gone.

    python without_posix.py commands URL DIRECTORY   # walks the commands through one backup and its restore
    pytest -p without_posix TESTS                    # runs tests without POSIX

Modules cannot be imported, functions and signals are not there, directories cannot be opened or linked to, and an open file
is neither replaced nor removed. `msvcrt.locking` locks ranges of bytes, each for one process. What can't be played here:
drive letters, and programs that write CRLF.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - as above
import errno
import multiprocessing  # noqa: F401 - it takes what it needs when it is imported
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile  # noqa: F401 - as above
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODULES = ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "uvloop")
FUNCTIONS = [
    "fork", "forkpty", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "getgroups", "setuid",
    "setgid", "chown", "lchown", "fchown", "fchmod", "chroot", "nice", "killpg", "getpgid", "setpgid", "setsid",
    "getsid", "sched_getaffinity", "sched_setaffinity", "pread", "pwrite", "preadv", "pwritev", "posix_fadvise",
    "posix_fallocate", "sync", "sync_file_range", "statvfs", "fstatvfs", "mkfifo", "mknod", "symlink", "wait3",
    "wait4", "waitid", "pipe2", "uname", "getloadavg", "openat", "sendfile", "splice", "copy_file_range",
    "memfd_create", "posix_spawn", "posix_spawnp", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_SYNC",
    "O_DSYNC", "O_PATH", "O_TMPFILE", "O_NOATIME",
]  # fmt: skip
_OFD_LOCK = struct.Struct("hhqqi4x")  # struct flock: l_type, l_whence, l_start, l_len, l_pid
SIGNALS = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGKILL", "SIGQUIT", "SIGALRM", "SIGPIPE", "pthread_sigmask")


def install() -> None:
    """Take it away, for the rest of this process."""
    import fcntl

    _own_subprocess()
    sys.modules["msvcrt"] = _msvcrt(fcntl)
    sys.meta_path.insert(0, _Gone())
    for name in MODULES:
        sys.modules.pop(name, None)
    for name in FUNCTIONS:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    if hasattr(socket, "AF_UNIX"):
        del socket.AF_UNIX
    _strict_files()
    import esteio.system

    esteio.system._PLATFORM = "win32"
    esteio.system._WINDOWS = True
    esteio.system._PAUSE = 0.01


class _Gone:
    def find_spec(self, name: str, *_: object) -> None:
        if name in MODULES:
            message = f"No module named {name!r}"
            raise ModuleNotFoundError(message, name=name)


def _msvcrt(fcntl: Any) -> types.ModuleType:
    made = types.ModuleType("msvcrt")

    def locking(handle: int, mode: int, size: int) -> None:
        """From where the file is, for this process alone; EACCES when a byte of it is another's."""
        if mode != 2:
            raise OSError(errno.EINVAL, "only LK_NBLCK is played")
        here = os.lseek(handle, 0, os.SEEK_CUR)
        # Locks of the open file, for those of a process do not keep out the process itself, as Windows does.
        lock = _OFD_LOCK.pack(1, os.SEEK_SET, here, size, 0)
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, lock)
        except OSError:
            raise OSError(errno.EACCES, "Permission denied") from None

    made.locking, made.LK_NBLCK = locking, 2  # type: ignore[attr-defined]
    return made


def _own_subprocess() -> None:
    """What the standard library did by names that are gone now."""
    number = signal.SIGKILL
    subprocess.Popen.kill = lambda self: self.send_signal(number)  # type: ignore[method-assign]
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    statvfs = os.statvfs

    def disk_usage(path: Any) -> Any:
        found = statvfs(path)
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        return shutil._ntuple_diskusage(total, total - free, free)  # type: ignore[attr-defined]

    shutil.disk_usage = disk_usage


def _strict_files() -> None:  # noqa: C901 - one small function each
    real_open, real_replace, real_rename, real_remove = os.open, os.replace, os.rename, os.remove

    def refuse(path: object) -> None:
        raise PermissionError(errno.EACCES, "Access is denied", str(path))

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if not isinstance(path, int) and os.path.isdir(path) and more.get("dir_fd") is None:
            refuse(path)
        return real_open(path, flags, *rest, **more)

    def replaced(real: Callable[..., None], *, over: bool) -> Callable[..., None]:
        def call(source: Any, target: Any, **more: Any) -> None:
            if not over and os.path.exists(target):
                raise FileExistsError(errno.EEXIST, "it exists", str(target))
            for path in (source, target):
                if _is_open(path):
                    refuse(path)
            real(source, target, **more)

        return call

    def removed(path: Any, **more: Any) -> None:
        if more.get("dir_fd") is None and _is_open(path):
            refuse(path)
        real_remove(path, **more)

    os.open = opened
    os.replace, os.rename = replaced(real_replace, over=True), replaced(real_rename, over=False)
    os.remove = os.unlink = removed


def _is_open(path: Any) -> bool:
    """Whether this process has the file open."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        return False
    for handle in os.listdir("/proc/self/fd"):
        try:
            other = os.fstat(int(handle))
        except OSError:
            continue
        if (other.st_dev, other.st_ino) == (found.st_dev, found.st_ino):
            return True
    return False


def _locks(path: Path) -> None:
    """Readers share a lock, who removes has it alone; a file that is read is not replaced."""
    from esteio.system import atomic_write, try_lock

    one, other, alone, late = (os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for _ in range(4))
    assert try_lock(one, shared=True)
    assert try_lock(other, shared=True)
    assert not try_lock(alone)
    os.close(one)
    os.close(other)
    assert try_lock(alone)
    assert not try_lock(late, shared=True)
    os.close(late)
    try:
        atomic_write(path, b"")
    except PermissionError:
        os.close(alone)
        atomic_write(path, b"new")
        assert path.read_bytes() == b"new"
    else:
        raise AssertionError(path)


def commands(url: str, directory: Path) -> None:
    """Each command that has to work on Windows, once."""
    from esteio.cli._main import main

    directory.mkdir(exist_ok=True)
    os.environ |= {
        "DATABASE_URL": url,
        "BACKUP_DIR": str(directory / "cópias"),
        "BACKUP_DOCUMENTS": str(directory / "docs"),
    }
    (directory / "docs").mkdir()
    (directory / "docs" / "lido.txt").write_bytes(b"a\r\nb\r\n")
    (directory / "docs" / "lido.txt").chmod(0o444)
    for words in (
        ("init",),
        ("run",),
        ("list", "--json"),
        ("verify",),
        ("restore", "database", "--as", "restored", "--documents", str(directory / "back")),
        ("prune", "--dry-run"),
        ("check", "--read-data"),
        ("status",),
        ("schedule", "--for", "windows", "--write", str(directory)),
    ):
        sys.argv = ["esteio", "backup", *words]
        try:
            main()
        except SystemExit as end:
            if end.code not in (0, None):
                print("failed:", *words, end.code, file=sys.stderr)
                raise
        print("done:", words[0], flush=True)
    assert (directory / "back" / "lido.txt").read_bytes() == b"a\r\nb\r\n"
    _locks(directory / "lock")
    print("done: locks", flush=True)


def pytest_sessionstart(session: Any) -> None:
    """As a plugin: once pytest's own plugins have what they need."""
    session.config._tmp_path_factory.getbasetemp()
    install()


if __name__ == "__main__":
    import psycopg  # noqa: F401 - it loads its library by asking the system

    install()
    commands(sys.argv[2], Path(sys.argv[3]))
