"""Windows by construction: the commands work without what only POSIX has. Nothing here was run on Windows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from esteio.backup.documents._restore import possible_on_windows
from esteio.backup.schedule import DAILY, Cron, Task, windows_task
from esteio.postgres import Dsn
from esteio.postgres.embedded import find_binaries
from esteio.postgres.embedded._account import resolve_account
from esteio.postgres.embedded._binaries import reachable_by

HERE = Path(__file__).parent
PURE = ("test_retention.py", "test_manifest.py", "test_details.py", "test_schedule.py")


def python(words: list[str], tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]), **more}
    return subprocess.run(
        [sys.executable, *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240
    )


def programs(tmp_path: Path) -> Path:
    """PostgreSQL's programs; as root, those that refuse root run under the account its server has."""
    if os.geteuid() != 0:
        return find_binaries(18).directory
    account, setpriv = resolve_account(None), shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root needs setpriv")
    real, wrapped = reachable_by(account, find_binaries(18)).directory, tmp_path / "bin"
    wrapped.mkdir()
    run_as = f"{setpriv} --reuid={account.uid} --regid={account.gid} --clear-groups"
    for program in real.iterdir():
        own = f'chown -R {account.uid} "$(dirname "${{1#--pgdata=}}")"\n' if program.name == "initdb" else ""
        changed = program.name in ("initdb", "pg_ctl")
        made = wrapped / program.name
        text = f'case "$1" in --version) ;; *) {own}: ;; esac\n' if own else ""
        made.write_text(f'#!/bin/sh\n{text}exec {run_as if changed else ""} {program} "$@"\n')
        made.chmod(0o755)
    return wrapped


@pytest.mark.timeout(240)
def test_the_commands_work_without_what_only_posix_has(database: Dsn, tmp_path: Path) -> None:
    script = [str(HERE / "without_posix.py"), "commands", database.url, str(tmp_path / "work")]
    done = python(script, tmp_path, PG_BIN=str(programs(tmp_path)), TMPDIR="/tmp")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    said = re.findall(r"^done: (\w+)", done.stdout, re.MULTILINE)
    assert said == ["init", "run", "list", "verify", "restore", "prune", "check", "status", "schedule", "locks"]
    task = next((tmp_path / "work").glob("*.xml"))
    valid(task.read_text(encoding="utf-16"))
    assert "not yet run there" in done.stderr


@pytest.mark.timeout(240)
def test_what_is_pure_passes_its_tests_without_what_only_posix_has(tmp_path: Path) -> None:
    tests = [str(HERE / name) for name in PURE]
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "without_posix",
        "--timeout-method=thread",
        "-k",
        "not install and not systemd and not timers and not crontab",
    ]
    done = python(["-m", "pytest", *options, f"--rootdir={HERE.parents[2]}", *tests], tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    "path",
    [
        "CON",
        "nul",
        "a/AUX.txt",
        "com1",
        "LPT9.log",
        "COM¹",
        "x.",
        "x ",
        "..\\x",
        "a\\b",
        "C:x",
        "a?",
        "a\nb",
        "CON .txt",
    ],
)
def test_a_name_that_windows_does_not_allow_is_known(path: str) -> None:
    assert not possible_on_windows(path)


@pytest.mark.parametrize("path", ["CONTRATO.pdf", "a/b.c", ".oculto", "com", "comum1", "São João.txt", "nul_"])
def test_a_name_that_windows_allows_is_known(path: str) -> None:
    assert possible_on_windows(path)


# The Task Scheduler's schema (MS-TSCH 2.5.2, "XML Task Definition Language"): names, order, values

NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
SEQUENCES = {  # elements whose order the schema fixes; those of xs:all have none
    "Task": ["RegistrationInfo", "Triggers", "Settings", "Data", "Principals", "Actions"],
    "CalendarTrigger": [
        "Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "RandomDelay", "ScheduleByDay",
        "ScheduleByWeek", "ScheduleByMonth", "ScheduleByMonthDayOfWeek",
    ],
}  # fmt: skip
SETTINGS = {
    "MultipleInstancesPolicy": r"Parallel|Queue|IgnoreNew|StopExisting",
    "DisallowStartIfOnBatteries": r"true|false",
    "StopIfGoingOnBatteries": r"true|false",
    "StartWhenAvailable": r"true|false",
    "ExecutionTimeLimit": r"PT?(\d+[DHMS])+",
}
DAYS = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}


def names(element: ET.Element) -> list[str]:
    return [child.tag.removeprefix(NAMESPACE) for child in element]


def valid(text: str) -> None:
    """Whether the schema accepts `text`, as far as we use it."""
    task = ET.fromstring(re.sub(r"^<\?xml[^>]*\?>\s*", "", text.lstrip("\ufeff")))
    assert task.tag == f"{NAMESPACE}Task"
    assert re.fullmatch(r"1\.[1-6]", task.attrib["version"])
    assert set(names(task)) <= set(SEQUENCES["Task"])
    assert {"Triggers", "Settings", "Actions"} <= set(names(task))
    (triggers,) = task.findall(f"{NAMESPACE}Triggers")
    assert 1 <= len(triggers) <= 48
    for trigger in triggers:
        assert trigger.tag == f"{NAMESPACE}CalendarTrigger"
        order = SEQUENCES["CalendarTrigger"]
        assert set(names(trigger)) <= set(order)
        start = trigger.findtext(f"{NAMESPACE}StartBoundary") or ""
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)?", start)
        assert trigger.findtext(f"{NAMESPACE}Enabled") in ("true", "false")
        for day in trigger.findall(f"{NAMESPACE}ScheduleByDay"):
            assert 1 <= int(day.findtext(f"{NAMESPACE}DaysInterval") or 0) <= 365
        for week in trigger.findall(f"{NAMESPACE}ScheduleByWeek"):
            assert 1 <= int(week.findtext(f"{NAMESPACE}WeeksInterval") or 0) <= 104
            assert set(names(week.findall(f"{NAMESPACE}DaysOfWeek")[0])) <= DAYS
        indices = [order.index(name) for name in names(trigger)]
        assert indices == sorted(indices)
    for setting in task.findall(f"{NAMESPACE}Settings/*"):
        assert re.fullmatch(SETTINGS[setting.tag.removeprefix(NAMESPACE)], setting.text or "")
    (actions,) = task.findall(f"{NAMESPACE}Actions")
    principals = [each.attrib["id"] for each in task.findall(f"{NAMESPACE}Principals/{NAMESPACE}Principal")]
    assert actions.attrib["Context"] in principals
    for action in actions:
        assert names(action) in (["Command"], ["Command", "Arguments"], ["Command", "Arguments", "WorkingDirectory"])


@pytest.mark.parametrize("expression", ["0 2 * * *", "*/30 * * * *", "15 3,15 * * 1-5", "0 0 * * 0"])
def test_the_task_for_windows_is_valid_by_microsofts_schema(expression: str) -> None:
    words = ["C:\\Program Files\\esteio\\esteio.exe", "backup", "run", "--note", 'a "b" <&> \\']
    text = windows_task(Task("daily", Cron(expression), "base"), words)
    valid(text)
    task = ET.fromstring(re.sub(r"^<\?xml[^>]*\?>\s*", "", text))
    assert task.findtext(f".//{NAMESPACE}Command") == words[0]
    assert task.findtext(f".//{NAMESPACE}Arguments") == subprocess.list2cmdline(words[1:])
    assert DAILY.kind == "base"
