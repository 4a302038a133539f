"""`backup schedule`: when backups are made, in our own words or another scheduler's."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from esteio.cli._words import Words

if TYPE_CHECKING:
    from esteio.backup.schedule import Task

__all__ = ["Form", "installed", "run_command", "scheduled", "show", "written"]


class Form(StrEnum):
    """Whose words."""

    systemd = "systemd"
    cron = "cron"
    windows = "windows"


def scheduled(base: str, dump: str, timezone: str, incremental: str = "") -> tuple[Task, ...]:
    """The tasks for three cron expressions; an empty one is left out."""
    from esteio.backup.schedule import Cron, Task

    given = (("daily", base, "base"), ("incremental", incremental, "incremental"), ("every-six-hours", dump, "dump"))
    return tuple(Task(name, Cron(cron, timezone), kind) for name, cron, kind in given if cron)


def show(tasks: tuple[Task, ...], words: Words) -> None:
    """Each task with its next moment."""
    for task in tasks:
        following = datetime.fromtimestamp(task.cron.next(time.time()), ZoneInfo(task.cron.timezone))
        typer.echo(words.scheduled.format(kind=task.kind, cron=task.cron.expression, next=following.isoformat(" ")))


def written(tasks: tuple[Task, ...], form: Form, directory: Path | None) -> None:
    """Print what a scheduler wants to read, or write it below `directory`."""
    from esteio.backup.schedule import InstallFailed

    for task in tasks:
        for name, text in _texts(task, form).items():
            if directory is None:
                typer.echo(f"# {name}\n{text}" if form is Form.systemd else text, nl=False)
            else:
                encoding = "utf-16" if form is Form.windows else "utf-8"
                try:
                    (directory / name).write_text(text, encoding=encoding)
                except OSError as error:
                    raise InstallFailed(str(directory / name), error.strerror or str(error)) from error
                typer.echo(str(directory / name))


def installed(tasks: tuple[Task, ...], form: Form) -> None:
    """Give the schedule to the scheduler, and say what was done; InstallFailed."""
    from esteio.backup.schedule import install_cron, install_systemd, install_windows

    texts = {task.name: _texts(task, form) for task in tasks}
    if form is Form.systemd:
        done = install_systemd({name: text for units in texts.values() for name, text in units.items()})
    else:
        install = install_cron if form is Form.cron else install_windows
        done = install({name: text for name, units in texts.items() for text in units.values()})
    for each in done:
        typer.echo(each.rstrip("\n"))


def run_command(kind: str) -> list[str]:
    """The command line that makes a backup of `kind`, called as we were.

    Nobody waits for it, and others work meanwhile: it is gentle.
    """
    return [*_program(), "backup", "run", "--kind", kind, "--gentle"]


def _texts(task: Task, form: Form) -> dict[str, str]:
    from esteio.backup.schedule import cron_line, systemd_units, windows_task

    # Each machine has its own timers: of several that ask one database, one makes the backup.
    command = [*run_command(task.kind), "--if-leader"]
    if form is Form.systemd:
        return systemd_units(task, command)
    if form is Form.cron:
        return {f"esteio-backup-{task.name}.cron": cron_line(task, command)}
    return {f"esteio-backup-{task.name}.xml": windows_task(task, command)}


def _program() -> list[str]:
    """How we were called."""
    called = Path(sys.argv[0]).absolute()
    return [sys.executable, "-m", called.parent.name] if called.name == "__main__.py" else [str(called)]
