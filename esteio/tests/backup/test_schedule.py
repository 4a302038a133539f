"""When backups are made: nothing missed, nothing twice, whatever the clock does."""

from __future__ import annotations

import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.backup import AlreadyRunning
from esteio.backup.schedule import (
    DAILY,
    EVERY_SIX_HOURS,
    Cron,
    ScheduleError,
    Scheduler,
    Task,
    TaskFailed,
    TaskFinished,
    cron_line,
    decide,
    systemd_units,
    windows_task,
)
from esteio.testing import ManualClock, recorded_events

HOUR = 3600.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
ZONES = ["UTC", "America/Sao_Paulo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
COMMAND = ["/opt/esteio/bin/esteio", "backup", "run", "--kind", "base", '100% çã $x "y" \\']


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def said(moment: float, zone: str) -> str:
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(" ", "minutes")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["0 2 * * *", "30 2 * * *", "0 */6 * * *", "*/20 * * * *", "15 3 1 * *", "0 4 * * 1-5"]),
    st.sampled_from(ZONES),
    st.integers(int(at("2024-01-01")), int(at("2028-01-01"))),
)
def test_next_and_previous_meet(expression: str, zone: str, moment: int) -> None:
    cron = Cron(expression, zone)
    following = cron.next(moment)
    assert cron.previous(moment) <= moment < following
    assert cron.previous(following) == following
    assert cron.previous(following - 1) <= moment


@pytest.mark.parametrize("expression", ["", "* * * *", "0 0 2 * * *", "61 2 * * *", "0 2 31 2 *", "every day"])
def test_an_expression_that_makes_no_sense_is_refused_with_what_does(expression: str) -> None:
    with pytest.raises(ScheduleError, match="fields"):
        Cron(expression)


def test_an_unknown_timezone_is_refused() -> None:
    for zone in ("Mars/Base", "", "../etc/passwd"):
        with pytest.raises(ScheduleError, match="America/Sao_Paulo"):
            Cron("0 2 * * *", zone)


def test_summer_time_neither_loses_a_day_nor_runs_it_twice() -> None:
    cron = Cron("30 2 * * *", "Europe/Berlin")
    moment, seen = at("2026-03-28 12:00", "Europe/Berlin"), []
    for _ in range(3):
        moment = cron.next(moment)
        seen.append(said(moment, "Europe/Berlin"))
    assert seen == ["2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00", "2026-03-31 02:30+02:00"]
    moment, seen = at("2026-10-24 12:00", "Europe/Berlin"), []
    for _ in range(2):
        moment = cron.next(moment)
        seen.append(said(moment, "Europe/Berlin"))
    assert seen == ["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"]


def test_the_defaults_are_daily_at_two_and_every_six_hours() -> None:
    assert said(DAILY.cron.next(NOON), "UTC") == "2026-03-02 02:00+00:00"
    assert said(EVERY_SIX_HOURS.cron.next(NOON), "UTC") == "2026-03-01 18:00+00:00"


# The decision


def test_a_task_seen_first_waits_for_its_next_moment() -> None:
    decision = decide([DAILY], {}, NOON)
    assert decision.due == ()
    assert decision.next == at("2026-03-02 02:00")
    assert decide([DAILY], decision.handled, decision.next).due == (DAILY,)


def test_however_many_moments_were_missed_it_is_due_once() -> None:
    decision = decide([DAILY, EVERY_SIX_HOURS], {"daily": NOON, "every-six-hours": NOON}, NOON + 100 * 24 * HOUR + 60)
    assert decision.due == (DAILY, EVERY_SIX_HOURS)
    now = NOON + 100 * 24 * HOUR + 120
    assert decide([DAILY, EVERY_SIX_HOURS], dict.fromkeys(("daily", "every-six-hours"), now), now + 1).due == ()


def test_a_clock_that_was_in_the_future_does_not_stop_the_backups() -> None:
    decision = decide([DAILY], {"daily": NOON + 5 * 365 * 24 * HOUR}, NOON)
    assert decision.due == ()
    assert decide([DAILY], decision.handled, NOON + 24 * HOUR).due == (DAILY,)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-50 * HOUR, 50 * HOUR), max_size=30), st.sampled_from(ZONES))
def test_whatever_the_clock_does_one_moment_passed_is_one_run(jumps: list[float], zone: str) -> None:
    """A run happens exactly when, since the last look, the clock went over a moment of the task."""
    task = Task("t", Cron("0 2 * * *", zone), "base")
    now, handled = NOON, {"t": NOON}
    for jump in jumps:
        seen = min(handled["t"], now + jump)
        now += jump
        decision = decide([task], handled, now)
        assert bool(decision.due) == (task.cron.next(seen) <= now)
        handled = {**decision.handled, **{each.name: now for each in decision.due}}


# The scheduler


class Runs:
    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.at: list[tuple[str, float]] = []
        self.error: Exception | None = None
        self.takes = 0.0

    def __call__(self, task: Task) -> None:
        self.at.append((task.name, self.clock.time()))
        self.clock.advance(self.takes)
        if self.error:
            raise self.error


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def runs(clock: ManualClock) -> Runs:
    return Runs(clock)


@pytest.fixture
def make(tmp_path: Path, clock: ManualClock, runs: Runs) -> Callable[[], Scheduler]:
    return lambda: Scheduler([DAILY, EVERY_SIX_HOURS], runs, tmp_path, random=lambda: 0.5, clock=clock)


def live(scheduler: Scheduler, clock: ManualClock, hours: float) -> None:
    end = clock.time() + hours * HOUR
    while clock.time() < end:
        clock.advance(max(scheduler.tick(), 1.0))


def test_two_days_have_two_daily_and_eight_other_runs_each_close_to_its_moment(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs
) -> None:
    scheduler = make()
    live(scheduler, clock, 2 * 24)
    names = [name for name, _ in runs.at]
    assert (names.count("daily"), names.count("every-six-hours")) == (2, 8)
    for name, moment in runs.at:
        cron = DAILY.cron if name == "daily" else EVERY_SIX_HOURS.cron
        assert 0 <= moment - cron.previous(moment) <= 75


def test_what_was_missed_while_nobody_ran_is_made_up_for_once(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs
) -> None:
    make().tick()
    clock.advance(3 * 24 * HOUR)
    for _ in range(3):
        make().tick()
    assert [name for name, _ in runs.at] == ["daily", "every-six-hours"]


def test_a_long_run_is_not_started_again_beside_itself_nor_for_each_moment_it_covered(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs
) -> None:
    scheduler = make()
    scheduler.tick()
    runs.takes = 20 * HOUR
    clock.advance(24 * HOUR)
    scheduler.tick()
    runs.takes = 0.0
    assert [name for name, _ in runs.at] == ["daily", "every-six-hours"]
    scheduler.tick()
    assert [name for name, _ in runs.at][2:] == ["daily"]


def test_a_run_that_fails_is_told_and_runs_again_at_its_next_moment(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs
) -> None:
    scheduler = make()
    scheduler.tick()
    runs.error = OSError("the disk is full")
    with recorded_events() as seen:
        live(scheduler, clock, 24)
        runs.error = None
        live(scheduler, clock, 24)
    daily = [type(event) for event in seen if event.name == "daily"]
    assert daily == [TaskFailed, TaskFinished]


def test_a_run_that_was_killed_is_due_again(make: Callable[[], Scheduler], clock: ManualClock, runs: Runs) -> None:
    make().tick()
    clock.advance(24 * HOUR)
    killed = make()
    killed._run = lambda task: (_ for _ in ()).throw(SystemExit)  # type: ignore[assignment]
    with pytest.raises(SystemExit):
        killed.tick()
    make().tick()
    assert [name for name, _ in runs.at] == ["daily", "every-six-hours"]


def test_a_memory_that_cannot_be_read_does_not_stop_the_backups(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs, tmp_path: Path
) -> None:
    for text in ("", "[]", '{"daily": "soon"}', "{"):
        (tmp_path / ".schedule.json").write_text(text)
        make().tick()
    clock.advance(24 * HOUR)
    make().tick()
    assert len(runs.at) == 2


def test_there_is_one_scheduler_for_a_directory(make: Callable[[], Scheduler]) -> None:
    first, second = make(), make()
    first.start()
    try:
        assert first.is_alive()
        with pytest.raises(AlreadyRunning):
            second.start()
    finally:
        first.stop(10.0)
    assert not first.is_alive()
    second.start()
    second.stop(10.0)


def test_as_a_service_it_runs_what_is_due(tmp_path: Path) -> None:
    done = threading.Event()
    (tmp_path / ".schedule.json").write_text('{"daily": 0}')
    scheduler = Scheduler([DAILY], lambda task: done.set(), tmp_path)
    scheduler.start()
    try:
        assert done.wait(30)
    finally:
        scheduler.stop(10.0)


# Other schedulers


def test_a_line_for_cron_keeps_the_words_apart() -> None:
    line = cron_line(DAILY, COMMAND)
    assert line.startswith("0 2 * * * /opt/esteio/bin/esteio backup run --kind base ")
    shell = line.partition("* * * ")[2].replace("\\%", "%")
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {shell}"], capture_output=True, text=True, check=True).stdout
    assert words.splitlines() == COMMAND
    assert line.endswith("# esteio backup: daily; for a machine whose timezone is UTC\n")
    with pytest.raises(ScheduleError, match="only in the built-in scheduler"):
        cron_line(Task("last", Cron("0 2 L * *"), "base"), COMMAND)


@pytest.mark.parametrize(
    ("expression", "calendar"),
    [
        ("0 2 * * *", ["*-*-* 02:00:00 America/Sao_Paulo"]),
        ("0 */6 * * *", ["*-*-* 00,06,12,18:00:00 America/Sao_Paulo"]),
        ("30 4 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 04:30:00 America/Sao_Paulo"]),
        ("0 4 1 1 *", ["*-01-01 04:00:00 America/Sao_Paulo"]),
        ("0 4 1,15 * 0", ["*-*-01,15 04:00:00 America/Sao_Paulo", "Sun *-*-* 04:00:00 America/Sao_Paulo"]),
    ],
)
def test_a_timer_of_systemd_means_the_same_moments(expression: str, calendar: list[str]) -> None:
    task = Task("t", Cron(expression, "America/Sao_Paulo"), "base")
    timer = systemd_units(task, COMMAND)["esteio-backup-t.timer"]
    found = [line.removeprefix("OnCalendar=") for line in timer.splitlines() if line.startswith("OnCalendar=")]
    assert found == calendar
    assert "Persistent=true" in timer
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    coming = []
    for moment in found:
        command = [program, "calendar", "--iterations=3", "--base-time=2026-03-01 12:00:00 UTC", moment]
        out = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC"}).stdout
        coming += [line.split()[-3:-1] for line in out.splitlines() if "Next elapse" in line or "Iter" in line]
    first = min(datetime.fromisoformat(" ".join(words)).replace(tzinfo=UTC) for words in coming)
    assert first.timestamp() == task.cron.next(NOON)


def test_a_service_of_systemd_is_accepted_by_systemd(tmp_path: Path) -> None:
    units = systemd_units(DAILY, ["/bin/true", *COMMAND[1:]])
    assert '"100%% çã $$x \\"y\\" \\\\"' in units["esteio-backup-daily.service"]
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    for name, text in units.items():
        (tmp_path / name).write_text(text)
        found = subprocess.run([program, "verify", "--man=no", tmp_path / name], capture_output=True, text=True)
        assert str(tmp_path / name) not in found.stderr


def test_a_task_of_windows_has_a_trigger_for_each_time() -> None:
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    root = ET.fromstring(windows_task(EVERY_SIX_HOURS, COMMAND).partition("\n")[2])
    starts = [each.text for each in root.iter(f"{space}StartBoundary")]
    assert starts == [f"2026-01-01T{hour:02d}:00:00" for hour in (0, 6, 12, 18)]
    assert root.findtext(f".//{space}StartWhenAvailable") == "true"
    assert root.findtext(f".//{space}MultipleInstancesPolicy") == "IgnoreNew"
    assert root.findtext(f".//{space}Command") == COMMAND[0]
    assert root.findtext(f".//{space}Arguments") == subprocess.list2cmdline(COMMAND[1:])
    weekly = ET.fromstring(windows_task(Task("w", Cron("0 2 * * 1,5"), "base"), COMMAND).partition("\n")[2])
    assert [each.tag.removeprefix(space) for each in weekly.find(f".//{space}DaysOfWeek") or ()] == ["Monday", "Friday"]


@pytest.mark.parametrize("expression", ["0 2 1 * *", "0 2 * 3 *", "* * * * *", "0 2 L * *", "0 2 * * 5#1"])
def test_what_windows_can_not_say_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        windows_task(Task("w", Cron(expression), "base"), COMMAND)


@pytest.mark.parametrize("expression", ["0 2 L * *", "0 2 * * 5#1"])
def test_what_systemd_can_not_say_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        systemd_units(Task("w", Cron(expression), "base"), COMMAND)
