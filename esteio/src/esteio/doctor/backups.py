"""Backups: proven, scheduled, away from here, closed to others, and somebody told when they fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from esteio.backup import Backups
from esteio.backup._problem import MENDABLE
from esteio.backup.agent import read_state
from esteio.backup.store import StoreUrlError, store_urls
from esteio.clock import SYSTEM, Clock
from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding

__all__ = ["agent", "backups", "notices", "stores"]

_STORES = "BACKUP_DIR, AWS_S3_BUCKET, BACKUP_STORES"
_SILENT = 300.0  # seconds; the agent reports every minute
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_OF_OTHER_MACHINES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "ceph", "fuse.glusterfs", "9p", "fuse.rclone"}
)


def backups(opened: Callable[[], AbstractContextManager[Backups]]) -> Examination:
    """Looks whether the newest backup was proven by a restore, and what else is wrong with them."""

    def look() -> Iterator[Finding]:
        try:
            with opened() as found:
                status = found.status()
        except StoreUrlError as error:
            about = {"part": error.part, "value": error.value, "allowed": error.allowed}
            yield FindingCode.ADDRESS_INVALID.found(name=_STORES, **about)
            return
        for problem in status.problems:
            mendable = status.verified is not None and problem.code in MENDABLE  # without a proven backup nothing is
            code = FindingCode.BACKUP_DEFECT if mendable else FindingCode.BACKUP_AT_RISK
            yield code.found(problem=problem)
        if status.ok:
            hours = (status.verified_age or 0.0) / 3600
            yield FindingCode.BACKUP_PROVEN.found(backup=status.verified, hours=hours)

    return Examination("backup:proof", look)


def agent(state: Path | None, clock: Clock = SYSTEM) -> Examination:
    """Looks whether somebody makes backups by itself, by the file that `backup agent` writes."""

    def look() -> Iterator[Finding]:
        found = read_state(state) if state else None
        if found is None:
            yield FindingCode.BACKUP_SCHEDULE_UNSEEN.found()
            return
        silent = clock.time() - found.at
        code = FindingCode.BACKUP_SCHEDULE_SILENT if silent > _SILENT else FindingCode.BACKUP_SCHEDULED
        yield code.found(minutes=silent / 60)

    return Examination("backup:schedule", look)


def stores(
    variables: Mapping[str, str], data: Path | None = None, mounts: Callable[[], str] | None = None
) -> Examination:
    """Looks where the stores of `variables` are: on the disk of `data` or of the system, in this machine, or elsewhere."""

    def look() -> Iterator[Finding]:
        urls = store_urls(variables)
        if not urls:
            yield FindingCode.BACKUP_NOT_SET.found()
            return
        table = (mounts or _mounts)()
        places = {url: _place(url, data, table) for url in urls}
        elsewhere = tuple(url for url, place in places.items() if place == "elsewhere")
        if not elsewhere:
            alone = all(place == "disk" for place in places.values())
            code = FindingCode.BACKUP_ON_ONE_DISK if alone else FindingCode.BACKUP_ON_ONE_MACHINE
            yield code.found(stores=" ".join(urls))
            return
        if not (variables.get("BACKUP_RECIPIENTS") or variables.get("BACKUP_PASSPHRASE")):
            yield FindingCode.BACKUP_READABLE_ELSEWHERE.found(stores=" ".join(elsewhere))
        yield FindingCode.BACKUP_ELSEWHERE.found(stores=" ".join(elsewhere))

    return Examination("backup:places", look)


def notices(channels: int) -> Examination:
    """Looks whether anybody is told how backups end."""

    def look() -> Iterator[Finding]:
        yield (FindingCode.SOMEBODY_TOLD if channels else FindingCode.NOBODY_TOLD).found(count=channels)

    return Examination("backup:notices", look)


def _place(url: str, data: Path | None, mounts: str) -> str:
    """`disk`, `machine` or `elsewhere`."""
    parts = urlsplit(url)
    if "://" in url and parts.scheme != "file":
        endpoint = parse_qs(parts.query).get("endpoint", [""])[0] or os.environ.get("AWS_ENDPOINT_URL", "")
        return "machine" if urlsplit(endpoint).hostname in _LOCAL else "elsewhere"
    path = _existing(Path(unquote(parts.path) if "://" in url else url).expanduser())
    if _file_system(path, mounts) in _OF_OTHER_MACHINES:
        return "elsewhere"
    beside = [Path("/"), *([_existing(data)] if data else [])]
    return "disk" if path.stat().st_dev in {each.stat().st_dev for each in beside} else "machine"


def _existing(path: Path) -> Path:
    """`path`, or the directory it will be made in."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:  # not Linux: a share counts as a disk of this machine
        return ""


def _file_system(path: Path, mounts: str) -> str:
    """The kind of the file system that `path` is on: of the longest mount point above it, the last mounted."""
    kind, longest = "", -1
    for line in mounts.splitlines():
        _, point, name, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if path.resolve().is_relative_to(point) and len(point) >= longest:
            kind, longest = name, len(point)
    return kind
