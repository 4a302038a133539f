"""The same schedule in other schedulers' words: systemd, cron, the Task Scheduler of Windows; written and installed.

Promises: what a scheduler cannot say is refused, not approximated. Each is told to make up for missed runs where it
can (systemd, Windows) and not to start a second one beside a first. What was installed before under the same names is
replaced, everything else is left alone. When a program of the scheduler is missing or refuses, that is an
`InstallFailed` with its reason.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError
from esteio.backup.schedule._cron import Cron, ScheduleError, Task
from esteio.install import unit_word
from esteio.system import atomic_write

__all__ = [
    "InstallFailed",
    "cron_line",
    "install_cron",
    "install_systemd",
    "install_windows",
    "systemd_units",
    "windows_task",
]

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MOST_TRIGGERS = 48  # of one task of Windows
_ALL = {"minutes": 60, "hours": 24, "days": 31, "months": 12}


def cron_line(task: Task, command: Sequence[str]) -> str:
    """A line for a user's crontab; cron has only the machine's own timezone, so the line says which it has to be."""
    _refuse_special(task.cron)
    return f"{task.cron.expression} {shlex.join(command)}".replace("%", "\\%") + f"  # {_about(task)}\n"


def _about(task: Task) -> str:
    return f"esteio backup: {task.name}; for a machine whose timezone is {task.cron.timezone}"


def systemd_units(task: Task, command: Sequence[str]) -> dict[str, str]:
    """A service and its timer, by the file's name."""
    name = f"esteio-backup-{task.name}"
    words = " ".join(unit_word(word) for word in command)
    moments = "".join(f"OnCalendar={moment}\n" for moment in _calendar(task.cron))
    return {
        f"{name}.service": (
            f"[Unit]\nDescription=Backup {task.name} ({task.kind})\nWants=network-online.target\n"
            "After=network-online.target\n\n"
            f"[Service]\nType=oneshot\nEnvironmentFile=-/etc/esteio/backup.env\nExecStart={words}\nNice=10\nSuccessExitStatus=75\nIOSchedulingClass=idle\n"
        ),
        f"{name}.timer": (
            f"[Unit]\nDescription=When to make backup {task.name}\n\n"
            f"[Timer]\n{moments}Persistent=true\nRandomizedDelaySec=30\n\n[Install]\nWantedBy=timers.target\n"
        ),
    }


def windows_task(task: Task, command: Sequence[str]) -> str:
    """XML for `schtasks /create /xml`; ScheduleError when the expression depends on days of the month or months."""
    triggers = "".join(_trigger(task.cron, hour, minute) for hour, minute in _times(task.cron))
    program, *arguments = command
    return (
        '<?xml version="1.0" encoding="UTF-16"?>\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\n'
        f"  <RegistrationInfo><Description>{escape(_about(task))}</Description></RegistrationInfo>\n"
        f"  <Triggers>\n{triggers}  </Triggers>\n"
        '  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId></Principal></Principals>\n'
        "  <Settings>\n"
        "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n"
        "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\n"
        "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\n"
        "    <StartWhenAvailable>true</StartWhenAvailable>\n"
        "    <ExecutionTimeLimit>PT12H</ExecutionTimeLimit>\n"
        "  </Settings>\n"
        '  <Actions Context="Author">\n'
        f"    <Exec><Command>{escape(program)}</Command>"
        f"<Arguments>{escape(subprocess.list2cmdline(arguments))}</Arguments></Exec>\n"
        "  </Actions>\n"
        "</Task>\n"
    )


# systemd


def _calendar(cron: Cron) -> Iterable[str]:
    """Calendar events; two where cron means either a day of the month or a weekday."""
    fields = cron.fields()
    time = f"{_numbers(fields.hours, 24)}:{_numbers(fields.minutes, 60)}:00 {cron.timezone}"
    month = _numbers(fields.months, 12)
    days = _numbers({day for day in fields.days if isinstance(day, int)}, 31)
    week = "" if len(_weekdays(cron)) == 7 else ",".join(_WEEKDAYS[day][:3] for day in _weekdays(cron)) + " "
    _refuse_special(cron)
    if week and days != "*" and not fields.day_and:
        return f"*-{month}-{days} {time}", f"{week}*-{month}-* {time}"
    return (f"{week}*-{month}-{days} {time}",)


def _numbers(values: Iterable[int], all_: int) -> str:
    found = sorted(values)
    return "*" if len(found) == all_ else ",".join(f"{value:02d}" for value in found)


# Windows


def _times(cron: Cron) -> list[tuple[int, int]]:
    fields = cron.fields()
    _refuse_special(cron)
    if len(fields.days) != _ALL["days"] or len(fields.months) != _ALL["months"]:
        raise ScheduleError(DetailCode.EXPRESSION_WINDOWS(), cron.expression, DetailCode.EVERY_DAY_AND_MONTH())
    times = [(hour, minute) for hour in sorted(fields.hours) for minute in sorted(fields.minutes)]
    if len(times) > _MOST_TRIGGERS:
        allowed = DetailCode.TIMES_A_DAY(limit=_MOST_TRIGGERS)
        raise ScheduleError(DetailCode.EXPRESSION_WINDOWS(), cron.expression, allowed)
    return times


def _trigger(cron: Cron, hour: int, minute: int) -> str:
    weekdays = _weekdays(cron)
    when = "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>"
    if len(weekdays) < 7:
        days = "".join(f"<{_WEEKDAYS[day]} />" for day in weekdays)
        when = f"<ScheduleByWeek><WeeksInterval>1</WeeksInterval><DaysOfWeek>{days}</DaysOfWeek></ScheduleByWeek>"
    # The schema wants them in this order.
    start = f"<Enabled>true</Enabled><StartBoundary>2026-01-01T{hour:02d}:{minute:02d}:00</StartBoundary>"
    return f"    <CalendarTrigger>{start}{when}</CalendarTrigger>\n"


def _weekdays(cron: Cron) -> list[int]:
    return sorted({day % 7 for day in cron.fields().weekdays if isinstance(day, int)})


def _refuse_special(cron: Cron) -> None:
    """What cronsim knows beyond numbers: the last day, the third Friday."""
    fields = cron.fields()
    odd = [day for day in fields.weekdays if not isinstance(day, int)] + [day for day in fields.days if day < 1]
    if odd:
        raise ScheduleError(DetailCode.EXPRESSION(), cron.expression, DetailCode.PLAIN_DAYS())


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
    root = hasattr(os, "geteuid") and os.geteuid() == 0
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
        raise InstallFailed(" ".join(words), said or DetailCode.EXIT_CODE(code=done.returncode))


def _found(words: Sequence[str]) -> list[str]:
    program = shutil.which(words[0])
    if program is None:
        raise InstallFailed(words[0], DetailCode.NOT_INSTALLED())
    return [program, *words[1:]]
