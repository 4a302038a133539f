"""A schedule given to another scheduler: written where it looks, and switched on.

Promises: what was installed before under the same names is replaced, everything else is left alone. When a program of
the scheduler is missing or refuses, that is an `InstallFailed` with its reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from esteio.backup._errors import BackupError
from esteio.system import atomic_write

__all__ = ["InstallFailed", "install_cron", "install_systemd", "install_windows"]

_MARK = "# esteio backup: "


class InstallFailed(BackupError):
    """The scheduler did not take it; what it had before is still there."""

    def __init__(self, program: str, reason: str) -> None:
        self.program = program
        self.reason = reason
        super().__init__(f"{program}: {reason}; write it with --write DIRECTORY and install it by hand")


def install_systemd(units: Mapping[str, str], *, systemctl: Sequence[str] = (), now: bool = True) -> list[str]:
    """Write `units` for the system, or for this account when it is not root, and enable the timers; what was done.

    `systemctl` are the words before its command; with `now` the timers begin to count at once.
    """
    root = os.geteuid() == 0
    words = list(systemctl) or ["systemctl", *([] if root else ["--user"])]
    folder = Path("/etc/systemd/system") if root else Path("~/.config/systemd/user").expanduser()
    for word in words:
        if word.startswith("--root="):
            folder = Path(word.removeprefix("--root=") + "/etc/systemd/system")
    done = []
    for name, text in units.items():
        done.append(str(_write(folder / name, text)))
    if now:
        _run([*words, "daemon-reload"])
    timers = [name for name in units if name.endswith(".timer")]
    _run([*words, "enable", *(["--now"] if now else []), *timers])
    return [*done, *timers]


def install_cron(lines: Mapping[str, str]) -> list[str]:
    """Put `lines`, by the names of their tasks, into this account's crontab; those of the same tasks are replaced."""
    present = subprocess.run(_found(["crontab", "-l"]), capture_output=True, text=True, check=False)  # noqa: S603
    kept = present.stdout.splitlines(keepends=True) if present.returncode == 0 else []
    ours = [f"{_MARK}{name};" for name in lines]
    kept = [line for line in kept if not any(mark in line for mark in ours)]
    if kept and not kept[-1].endswith("\n"):
        kept[-1] += "\n"
    _run(["crontab", "-"], given="".join([*kept, *lines.values()]))
    return list(lines.values())


def install_windows(tasks: Mapping[str, str]) -> list[str]:
    """Give `tasks`, as XML by their names, to the Task Scheduler; those of the same names are replaced."""
    done = []
    for name, text in tasks.items():
        with tempfile.TemporaryDirectory(prefix="esteio-schedule-") as folder:
            path = Path(folder) / "task.xml"
            path.write_text(text, encoding="utf-16")
            _run(["schtasks", "/create", "/tn", f"esteio backup {name}", "/xml", str(path), "/f"])
        done.append(f"esteio backup {name}")
    return done


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text.encode())
        path.chmod(0o644)  # systemd wants its units to be everybody's to read
    except OSError as error:
        raise InstallFailed(str(path), error.strerror or str(error)) from error
    return path


def _run(words: Sequence[str], given: str | None = None) -> None:
    done = subprocess.run(_found(words), input=given, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        raise InstallFailed(" ".join(words), said or f"it ended with exit code {done.returncode}")


def _found(words: Sequence[str]) -> list[str]:
    program = shutil.which(words[0])
    if program is None:
        raise InstallFailed(words[0], "it is not installed here")
    return [program, *words[1:]]
