"""Writes of some processes to one device, held to a number a second by the kernel: what a slow disk is to them.

Version 1 or 2 of control groups, whichever the machine has. What is slowed is what a process waits for (`fsync`, direct
writes); under version 1 what the kernel writes later on its own is not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sispat.kernel.i18n import _

__all__ = ["IoLimit", "group_of"]

_ROOT = Path("/sys/fs/cgroup")
_FORKS = 100


def group_of(pid: int) -> str:
    """What the control group of the drill that is process `pid` is called."""
    return f"sispat-drill-{pid}"


class IoLimit:
    """A control group of our own; `reason` says why there is none."""

    def __init__(self, name: str) -> None:
        self._first = (_ROOT / "blkio" / "blkio.throttle.write_iops_device").exists()
        self._group = (_ROOT / "blkio" if self._first else _ROOT) / name
        self._before: dict[int, Path] = {}

    @property
    def reason(self) -> str | None:
        """Why the kernel cannot be asked to limit anything here; None where it can."""
        if os.geteuid():
            return _("só quem é root limita um disco")
        if self._first:
            return None
        with suppress(OSError):
            if "io" in (_ROOT / "cgroup.subtree_control").read_text().split():
                return None
        return _("o kernel desta máquina não limita discos (blkio ou io)")

    def begin(self, pids: Iterable[int], device: str, writes: int) -> None:
        """Hold `pids`, and what they start, to `writes` a second on `device`, such as 7:0."""
        self._group.mkdir(exist_ok=True)
        if self._first:
            (self._group / "blkio.throttle.write_iops_device").write_text(f"{device} {writes}\n")
        else:
            (self._group / "io.max").write_text(f"{device} wiops={writes}\n")
        for pid in pids:
            with suppress(OSError):  # it has ended
                self._before[pid] = self._home_of(pid)
                self.join(pid)

    def join(self, pid: int) -> None:
        """Hold `pid`, too."""
        (self._group / "cgroup.procs").write_text(str(pid))

    def end(self) -> None:
        """Let all of them go, to where they were, and what they started to where the first of them was."""
        if not self._group.exists():
            return
        home = next(iter(self._before.values()), self._group.parent)
        for _again in range(_FORKS):  # what starts while the others leave is in the group, too
            for pid in map(int, (self._group / "cgroup.procs").read_text().split()):
                with suppress(OSError):
                    (self._before.get(pid, home) / "cgroup.procs").write_text(str(pid))
            with suppress(OSError):  # somebody is still in it
                self._group.rmdir()
                break
        self._before.clear()

    def _home_of(self, pid: int) -> Path:
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            if ("blkio" in controllers.split(",")) if self._first else controllers == "":
                return self._group.parent / path.lstrip("/")
        return self._group.parent
