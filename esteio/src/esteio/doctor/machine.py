"""The machine: clock, disks, files that others may read, power, versions."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding

__all__ = ["clock", "disks", "files", "follows_time_server", "power", "versions"]

_LOW, _FULL = 10.0, 2.0  # percent free, as esteio.health.checks.disk
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # struct timex has 208 on 64-bit Linux
_GRID = {"times": "4.9", "hours": "10.2", "year": 2024}
"""ANEEL, FEC and DEC of 2024: interruptions, and hours without power, of an average consumer in Brazil."""
_PACKAGES = ("esteio", "psycopg", "redis", "uvicorn", "starlette")
_END_OF_PYTHON = {  # https://devguide.python.org/versions/
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}
_WARNED_BEFORE = timedelta(days=180)


def follows_time_server() -> bool | None:
    """Whether the kernel says that the clock follows a time server; None where it does not say."""
    if sys.platform != "linux":
        return None
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))  # modes 0: only asked
    return None if state < 0 else state != _TIME_ERROR


def clock(follows: Callable[[], bool | None] = follows_time_server) -> Examination:
    """Looks whether the clock follows a time server."""
    codes = {
        True: FindingCode.CLOCK_SYNCHRONISED, False: FindingCode.CLOCK_FREE, None: FindingCode.CLOCK_UNSEEN,
    }  # fmt: skip

    def look() -> Iterator[Finding]:
        yield codes[follows()].found()

    return Examination("machine:clock", look)


def disks(paths: Sequence[Path]) -> Examination:
    """Looks how much is free where `paths` are, or will be made; each file system once."""

    def look() -> Iterator[Finding]:
        seen = set()
        for path in paths:
            there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
            if (device := there.stat().st_dev) not in seen:
                seen.add(device)
                yield _room(there)

    return Examination("machine:disks", look)


def _room(path: Path) -> Finding:
    usage, inodes = shutil.disk_usage(path), 100.0
    free = 100.0 * usage.free / usage.total if usage.total else 0.0
    if hasattr(os, "statvfs") and (counts := os.statvfs(path)).f_files:
        inodes = 100.0 * counts.f_favail / counts.f_files
    least = min(free, inodes)
    code = FindingCode.DISK_FULL if least < _FULL else FindingCode.DISK_LOW if least < _LOW else FindingCode.DISK_ROOM
    return code.found(path=str(path), free=free, inodes=inodes)


def files(paths: Sequence[Path]) -> Examination:
    """Looks whether other accounts can read `paths`: secrets, and directories of data by what is right in them.

    What is not there is left out.
    """

    def look() -> Iterator[Finding]:
        if not hasattr(os, "getuid"):
            raise NotImplementedError("this system has no modes of files")  # told as NOT_SEEN: unknown, never a pass
        there = [path.absolute() for path in paths if path.exists()]
        bad = [path for path in there if _others_read(path)]
        for path in bad:
            mode = stat.S_IMODE(path.stat().st_mode)
            yield FindingCode.FILE_READABLE.found(path=str(path), mode=f"{mode:o}")
        if not bad:
            yield FindingCode.FILES_CLOSED.found(count=len(there))

    return Examination("files:modes", look)


def _others_read(path: Path) -> bool:
    """A closed directory above shuts out everybody, whatever the modes below it are."""
    path = path.resolve()  # what a link leads to
    if not all(above.stat().st_mode & stat.S_IXOTH for above in path.parents):
        return False
    if not path.is_dir():
        return _open_to_others(path)
    if not path.stat().st_mode & stat.S_IXOTH:
        return False
    with os.scandir(path) as entries:  # names alone give nothing away: what is in it decides
        return any(_open_to_others(Path(each)) for each in entries)


def _open_to_others(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:  # removed since it was listed
        return False
    wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return not stat.S_ISLNK(mode) and mode & wanted == wanted


def power(ups: bool | None) -> Examination:
    """What a person answered: whether a UPS carries the machine. None: nobody did."""

    def look() -> Iterator[Finding]:
        if ups:
            yield FindingCode.UPS_PRESENT.found()
        else:
            yield (FindingCode.UPS_NOT_ANSWERED if ups is None else FindingCode.UPS_ABSENT).found(**_GRID)

    return Examination("machine:power", look)


def versions(
    packages: Sequence[str] = _PACKAGES,
    today: date | None = None,
    python: tuple[int, int] = (sys.version_info.major, sys.version_info.minor),
) -> Examination:
    """Looks at the version of Python, and names those of `packages`."""

    def look() -> Iterator[Finding]:
        now = today or date.today()  # noqa: DTZ011 - support ends on a day, wherever one is
        end = _END_OF_PYTHON.get(python, date.max)
        if end - now < _WARNED_BEFORE:
            code = FindingCode.PYTHON_ENDED if end <= now else FindingCode.PYTHON_ENDS
            yield code.found(version=".".join(map(str, python)), end=end.isoformat())
        named = [f"Python {platform.python_version()}", *filter(None, map(_named, packages))]
        yield FindingCode.VERSIONS.found(packages=", ".join(named))

    return Examination("software:versions", look)


def _named(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""
