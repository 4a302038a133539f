"""What a drill that was killed leaves behind: processes, mounts, a control group, a folder. The next one removes it.

Promises: only of drills whose process is gone. The folder in which all of a drill lies is named after its process and when
that was started, so that nothing has to be written first, and a process that has the number by now is not taken for it. A
folder of another account is left alone.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from sispat.drill.disks import tool
from sispat.drill.io_limit import IoLimit, group_of

__all__ = ["end_processes", "own_folder", "processes_of"]

_NAME = re.compile(r"sispat-drill-(\d+)-(\d+)")
_SAME_START = 2.0  # seconds: the time of the start is counted from the boot, whose moment moves with the clock
_PATIENCE = 10.0  # seconds until what was killed has ended


@contextmanager
def own_folder() -> Iterator[list[Path]]:
    """Where all temporary files of this drill lie meanwhile; gives the folders of killed ones, which are removed by now."""
    there = Path(tempfile.gettempdir())
    left = [folder for folder in sorted(there.glob("sispat-drill-*")) if _is_left(folder)]
    for folder in left:
        _remove(folder)
    me = psutil.Process()
    folder = there / f"sispat-drill-{me.pid}-{me.create_time():.0f}"
    folder.mkdir(mode=0o711)  # the account of an embedded server has to pass; nobody else can have made it
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)  # of what we start, too, which is known by it
    try:
        yield left
    finally:
        tempfile.tempdir = before[0]
        del os.environ["TMPDIR"]
        os.environ.update({} if before[1] is None else {"TMPDIR": before[1]})
        shutil.rmtree(folder, ignore_errors=True)


def processes_of(folder: Path) -> list[psutil.Process]:
    """All that has to do with `folder`, but for us, who called us, and people who look at it."""
    found = [process for process in psutil.process_iter() if _belongs(process, str(folder))]
    mine = {os.getpid(), os.getppid()}
    children = [child for process in found for child in _children(process)]
    return [process for process in dict.fromkeys([*found, *children]) if process.pid not in mine]


def end_processes(
    folder: Path, signum: signal.Signals, patience: float, child: subprocess.Popen[bytes] | None = None
) -> None:
    """Send it to all of them, and wait; for our own `child` by itself, so that nobody else takes its exit code."""
    for process in processes_of(folder):
        for each in (signum, signal.SIGCONT):  # a frozen one cannot end
            with suppress(psutil.Error):
                process.send_signal(each)
    if child is not None:
        with suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired):
            child.wait(patience)
    others = [each for each in processes_of(folder) if child is None or each.pid != child.pid]
    psutil.wait_procs(others, timeout=patience)


def _is_left(folder: Path) -> bool:
    named = _NAME.fullmatch(folder.name)
    if named is None or folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        return False
    try:
        started = psutil.Process(int(named[1])).create_time()
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
    return bool(abs(started - int(named[2])) > _SAME_START)


def _remove(folder: Path) -> None:
    """Programs first: in order where they can, so that PostgreSQL gives its shared memory back."""
    end_processes(folder, signal.SIGTERM, _PATIENCE)
    end_processes(folder, signal.SIGKILL, _PATIENCE)
    named = _NAME.fullmatch(folder.name)
    assert named is not None
    IoLimit(group_of(int(named[1]))).end()
    for mounted in reversed(_mounts_below(folder)):
        subprocess.run([tool("umount"), "--lazy", mounted], check=False, capture_output=True)  # noqa: S603
    if not _mounts_below(folder):  # else somebody's disk would be emptied
        shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    """In the order in which they were mounted."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    except OSError:  # no Linux: nothing was mounted
        return []
    return [place for line in lines if (place := line.split()[4]).startswith(f"{folder}/")]


def _belongs(process: psutil.Process, folder: str) -> bool:
    """PostgreSQL has no environment, Redis writes over its own; somebody's `less` has a terminal, the service has none."""
    with suppress(psutil.Error):  # it ended meanwhile, or is another user's
        if folder in " ".join(process.cmdline()) and process.terminal() is None:
            return True
        if process.name().startswith("redis") and process.cwd().startswith(folder):
            return True
        environment = process.environ()
        return any(environment.get(name, "").startswith(folder) for name in ("SISPAT_DATA_DIR", "TMPDIR"))
    return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [each for each in process.children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return []
