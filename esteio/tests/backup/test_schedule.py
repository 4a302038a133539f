"""When backups are made: nothing missed, nothing twice, whatever the clock does."""

from __future__ import annotations

import math
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.backup import AlreadyRunning, BackupError
from esteio.backup.schedule import (
    DAILY,
    EVERY_SIX_HOURS,
    Cron,
    Errand,
    InstallFailed,
    ScheduleError,
    Scheduler,
    Task,
    TaskBegun,
    TaskFailed,
    TaskFinished,
    TaskRefused,
    cron_line,
    install_cron,
    install_systemd,
    systemd_units,
    windows_task,
)
from esteio.backup.schedule._cron import Known, Outcome, after, decide
from esteio.backup.schedule._scheduler import recall
from esteio.cli._schedule import scheduled
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


def known(**moments: float) -> dict[str, Known]:
    return {name.replace("_", "-"): Known(moment) for name, moment in moments.items()}


def test_a_base_a_week_covers_the_incremental_of_its_day() -> None:
    tasks = scheduled("0 2 * * 0", "0 */6 * * *", "UTC", incremental="0 2 * * *")
    seen, now, made = decide(tasks, {}, NOON).known, NOON, []
    while now < NOON + 8 * 24 * HOUR:  # from a Sunday to the Monday after the next
        decision = decide(tasks, seen, now)
        made += [f"{said(now, 'UTC')[8:13]} {job.kind}" for job in decision.due if job.kind != "dump"]
        seen = {**decision.known, **{job.name: after(job, Known(now), Outcome.DONE, now) for job in decision.due}}
        now = decide(tasks, seen, now).next
    assert made == [*(f"0{day} 02 incremental" for day in range(2, 8)), "08 02 base", "09 02 incremental"]
    # A base that is wanted now, as there is none, covers it too; it is not made a minute later.
    wanted, monday = Errand("wanted-base", "base", "there is no base backup"), at("2026-03-16 02:00")
    decision = decide(tasks, {task.name: Known(at("2026-03-16 01:00")) for task in tasks}, monday, wanted)
    assert [job.kind for job in decision.due] == ["base"]
    later = {**decision.known, wanted.name: after(wanted, decision.known[wanted.name], Outcome.DONE, monday)}
    assert decide(tasks, later, monday + 60).due == ()


def test_a_task_seen_first_waits_for_its_next_moment() -> None:
    decision = decide([DAILY], {}, NOON)
    assert decision.due == ()
    assert decision.next == at("2026-03-02 02:00")
    assert decide([DAILY], decision.known, decision.next).due == (DAILY,)


def test_however_many_moments_were_missed_it_is_due_once() -> None:
    tasks = [DAILY, EVERY_SIX_HOURS]
    decision = decide(tasks, known(daily=NOON, every_six_hours=NOON), NOON + 100 * 24 * HOUR + 60)
    assert decision.due == (DAILY, EVERY_SIX_HOURS)
    now = NOON + 100 * 24 * HOUR + 120
    assert decide(tasks, known(daily=now, every_six_hours=now), now + 1).due == ()


def test_a_clock_that_was_in_the_future_does_not_stop_the_backups() -> None:
    decision = decide([DAILY], known(daily=NOON + 5 * 365 * 24 * HOUR), NOON)
    assert decision.due == ()
    assert decide([DAILY], decision.known, NOON + 24 * HOUR).due == (DAILY,)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-50 * HOUR, 50 * HOUR), max_size=30), st.sampled_from(ZONES))
def test_whatever_the_clock_does_one_moment_passed_is_one_run(jumps: list[float], zone: str) -> None:
    """A run happens exactly when, since the last look, the clock went over a moment of the task."""
    task = Task("t", Cron("0 2 * * *", zone), "base")
    now, memory = NOON, known(t=NOON)
    for jump in jumps:
        seen = min(memory["t"].handled, now + jump)
        now += jump
        decision = decide([task], memory, now)
        assert bool(decision.due) == (task.cron.next(seen) <= now)
        memory = {**decision.known, **{each.name: after(each, memory["t"], Outcome.DONE, now) for each in decision.due}}


def test_what_fails_is_due_again_after_5_15_and_then_every_60_minutes_and_a_success_forgets_that() -> None:
    weekly = Task("weekly", Cron("0 2 * * 0"), "base")
    now = at("2026-03-01 02:00")
    memory, waits = Known(now - 1), []
    for _ in range(5):
        assert decide([weekly], {"weekly": memory}, now).due == (weekly,)
        memory = after(weekly, memory, Outcome.FAILED, now)
        assert memory.again is not None
        assert decide([weekly], {"weekly": memory}, memory.again - 1).due == ()
        assert decide([weekly], {"weekly": memory}, now).next == memory.again
        waits.append(memory.again - now)
        now = memory.again
    assert waits == [300, 900, 3600, 3600, 3600]
    memory = after(weekly, memory, Outcome.DONE, now)
    assert decide([weekly], {"weekly": memory}, now + 24 * HOUR).due == ()
    assert after(weekly, memory, Outcome.FAILED, now).failures == 1


def test_what_was_refused_is_due_again_in_two_minutes_and_counts_as_no_failure() -> None:
    memory = after(DAILY, Known(NOON - HOUR, failures=1, again=NOON), Outcome.REFUSED, NOON)
    assert decide([DAILY], {"daily": memory}, NOON + 119).due == ()
    assert decide([DAILY], {"daily": memory}, NOON + 120).due == (DAILY,)
    assert memory.failures == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-50 * HOUR, 50 * HOUR), st.sampled_from(Outcome)), max_size=30))
def test_whatever_the_clock_does_what_did_not_end_well_runs_again_within_an_hour(
    life: list[tuple[float, Outcome]],
) -> None:
    now, memory, last = NOON, known(daily=NOON), Outcome.DONE
    for jump, outcome in life:
        now += jump
        decision = decide([DAILY], memory, now)
        memory = dict(decision.known)
        if last is not Outcome.DONE:
            assert min(decision.next, now if decision.due else math.inf) <= now + HOUR
        if decision.due:
            memory["daily"] = after(DAILY, memory["daily"], outcome, now)
            last = outcome


def test_an_errand_is_run_at_once_and_each_time_later_when_it_comes_back_within_a_day() -> None:
    errand = Errand("wanted", "base", "there is none")
    assert decide([EVERY_SIX_HOURS], {}, NOON, errand).due == (errand,)
    now, memory, waits = NOON, Known(NOON), []
    for _ in range(5):
        assert decide([], {"wanted": memory}, now, errand).due == (errand,)
        memory = after(errand, memory, Outcome.DONE, now)
        assert memory.again is not None
        assert decide([], {"wanted": memory}, memory.again - 1, errand).due == ()
        assert decide([], {"wanted": memory}, memory.again).due == ()
        waits.append(memory.again - now)
        now = memory.again
    assert waits == [60, 300, 900, 3600, 3600]
    assert after(errand, memory, Outcome.DONE, now + 25 * HOUR).failures == 1
    failed = after(errand, Known(NOON, failures=1), Outcome.FAILED, NOON)
    assert decide([], {"wanted": failed}, NOON + 899, errand).due == ()


def test_a_task_that_is_due_anyway_does_the_errand() -> None:
    errand = Errand("wanted", "base", "there is none")
    assert decide([DAILY], known(daily=NOON), NOON + 24 * HOUR, errand).due == (DAILY,)


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


def test_a_run_that_fails_is_told_and_tried_again_before_its_next_moment(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs
) -> None:
    scheduler = make()
    scheduler.tick()
    runs.error = BackupError("the disk is full")
    with recorded_events() as seen:
        live(scheduler, clock, 24)
        runs.error = None
        live(scheduler, clock, 1.1)
    daily = [event for event in seen if event.name == "daily"]
    failed = [event for event in daily if isinstance(event, TaskFailed)]
    assert [event.failures for event in failed[:4]] == [1, 2, 3, 4]
    assert "the disk is full; it runs again in 5 min" in str(failed[0])
    assert sum(isinstance(event, TaskFinished) for event in daily) == 1


def test_a_run_that_is_refused_waits_some_minutes_also_over_a_restart(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs, tmp_path: Path
) -> None:
    make().tick()
    clock.advance(24 * HOUR)
    runs.error = AlreadyRunning(tmp_path / ".lock", 1)
    with recorded_events() as seen:
        make().tick()
    runs.error = None
    assert [type(event) for event in seen] == [TaskBegun, TaskRefused] * 2
    live(make(), clock, 0.1)
    assert [name for name, _ in runs.at] == ["daily", "every-six-hours"] * 2
    assert 120 <= runs.at[2][1] - runs.at[0][1] <= 200


def test_what_is_wanted_is_run_and_a_question_without_an_answer_stops_nothing(
    clock: ManualClock, runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Errand | Exception | None] = [Errand("wanted", "base", "it is the first"), OSError("away"), None]

    def wanted() -> Errand | None:
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    scheduler = Scheduler([EVERY_SIX_HOURS], runs, tmp_path, wanted=wanted, random=lambda: 0.5, clock=clock)
    with recorded_events() as seen:
        live(scheduler, clock, 7)
    assert [name for name, _ in runs.at] == ["wanted", "every-six-hours"]
    assert "because it is the first" in str(seen[0])
    assert answers == []
    assert "whether a backup is wanted cannot be known: away" in caplog.text


def test_a_disk_that_is_full_keeps_no_task_from_its_moment(
    make: Callable[[], Scheduler], clock: ManualClock, runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".schedule.json").mkdir()  # what it would write cannot be written
    live(make(), clock, 24)
    assert len(runs.at) == 5
    assert "cannot be written" in caplog.text


def test_a_run_under_way_is_interrupted_at_the_end_and_due_again(tmp_path: Path) -> None:
    begun, interrupted = threading.Event(), threading.Event()

    def run(task: Task) -> None:
        begun.set()
        assert interrupted.wait(30)
        raise BackupError("ended")

    (tmp_path / ".schedule.json").write_text('{"daily": 0}')
    scheduler = Scheduler([DAILY], run, tmp_path, interrupt=interrupted.set)
    scheduler.start()
    assert begun.wait(30)
    scheduler.stop(10.0)
    assert not scheduler.is_alive()
    assert recall(tmp_path / ".schedule.json")["daily"].handled == 0


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
    for text in ("", "[]", '{"daily": "soon"}', '{"daily": {}}', "{"):
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


@pytest.fixture
def crontab() -> Iterator[Callable[[], str]]:
    """This account's crontab, as it was afterwards."""
    if shutil.which("crontab") is None:
        pytest.skip("crontab is not here (apt-get install cron)")

    def content() -> str:
        return subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False).stdout

    before = content()
    yield content
    subprocess.run(["crontab", "-"], input=before, text=True, check=True)


def test_a_schedule_is_put_into_a_crontab_once_and_other_lines_stay(crontab: Callable[[], str]) -> None:
    subprocess.run(["crontab", "-"], input="PATH=/usr/bin\n# mine\n@daily true\n", text=True, check=True)
    lines = {task.name: cron_line(task, COMMAND) for task in (DAILY, EVERY_SIX_HOURS)}
    install_cron(lines)
    install_cron({"daily": lines["daily"].replace("0 2", "0 3")})
    later = lines["daily"].replace("0 2", "0 3")
    assert crontab() == "PATH=/usr/bin\n# mine\n@daily true\n" + lines["every-six-hours"] + later
    with pytest.raises(InstallFailed, match=r"crontab -: .*bad minute"):
        install_cron({"wrong": "99 * * * * true\n"})
    assert "every-six-hours" in crontab()


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemctl is not here (apt-get install systemd)")
def test_timers_are_written_and_enabled(tmp_path: Path) -> None:
    units = systemd_units(DAILY, COMMAND)
    for _ in range(2):
        install_systemd(units, systemctl=["systemctl", f"--root={tmp_path}"], now=False)
    folder = tmp_path / "etc/systemd/system"
    assert {path.name: path.read_text() for path in folder.glob("esteio-*")} == units
    enabled = folder / "timers.target.wants/esteio-backup-daily.timer"
    assert enabled.resolve().name == "esteio-backup-daily.timer"
    with pytest.raises(InstallFailed, match="systemctl-of-nobody: it is not installed here"):
        install_systemd(units, systemctl=["systemctl-of-nobody", f"--root={tmp_path}"])


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
