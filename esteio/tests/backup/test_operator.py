"""Backups without anybody: runs as processes, whose turn it is, what is said of it, and all of it at work."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import psycopg
import pytest
from trial_database import initialised

from esteio import events
from esteio.alert import Channels, Outbox, backup_notice
from esteio.alert.monitor import BackupRecord
from esteio.backup import AlreadyRunning, BackupRunEnded, Backups, NotLeader, Problem, ProblemCode
from esteio.backup._lock import Lock
from esteio.backup.agent import (
    AgentState,
    ChildRun,
    Deferred,
    LeaderLock,
    Reporter,
    ScheduledRunFailed,
    leading,
    read_state,
)
from esteio.backup.agent._reporter import write_state
from esteio.backup.schedule import Errand
from esteio.backup.store import DirectoryMissing, Stores, open_store
from esteio.backup.watch import BackupsRed
from esteio.cli import Notices, Operation, operating, run_command, scheduled
from esteio.cli._schedule import Form, _texts
from esteio.postgres import Dsn
from esteio.testing import recorded_events
from esteio.testing.postgres import PostgresServer

JOB = Errand("wanted", "base", "it is a test")


def until(true: Callable[[], object], what: Callable[[], object] = lambda: "", seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not happen in time: {what()}"
        time.sleep(0.05)


# A run as a process


def child(script: str) -> ChildRun:
    def command(kind: str) -> Sequence[str]:
        return [sys.executable, "-c", script, kind]

    return ChildRun(command, Path("/backups"))


def test_a_run_stands_back_and_what_it_says_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "esteio.backup")
    child("import os, sys; print(sys.argv[1], os.nice(0)); print('step 1', file=sys.stderr)")(JOB)
    assert sorted(record.message for record in caplog.records) == [
        f"backup: base {min(19, os.nice(0) + 10)}",
        "backup: step 1",
    ]


def test_a_run_that_fails_says_why_and_one_that_is_refused_is_no_failure() -> None:
    with pytest.raises(
        ScheduledRunFailed, match="kind 'base' failed with exit code 1: Error: the disk is full"
    ) as caught:
        child("import sys; print('step', file=sys.stderr); sys.exit('Error: the disk is full')")(JOB)
    assert caught.value.code == 1
    with pytest.raises(AlreadyRunning, match="backups under /backups"):
        child(f"import sys; sys.exit({AlreadyRunning.exit_code})")(JOB)


def test_a_run_that_was_killed_is_told_by_us(tmp_path: Path) -> None:
    with recorded_events() as seen, pytest.raises(ScheduledRunFailed, match="-9"):
        child("import os; os.kill(os.getpid(), 9)")(JOB)
    [ended] = seen
    assert isinstance(ended, BackupRunEnded)
    notice = backup_notice(ended)
    assert notice is not None
    assert notice.level == "failure"
    assert "backup of kind 'base' failed with exit code -9" in notice.body


def test_a_run_under_way_can_be_interrupted(tmp_path: Path) -> None:
    run = child(f"import pathlib, time; pathlib.Path({str(tmp_path / 'on')!r}).touch(); time.sleep(60)")

    def interrupt() -> None:
        until((tmp_path / "on").exists)
        run.interrupt()

    threading.Thread(target=interrupt).start()
    with recorded_events() as seen, pytest.raises(ScheduledRunFailed, match="-15"):
        run(JOB)
    assert seen == []


# What is said


def test_what_an_operator_says_is_read_as_it_was_written_and_silence_is_a_problem(tmp_path: Path) -> None:
    old, full = (
        Problem.of(ProblemCode.FILES_MISSING, backup="b", files=("x", "y")),
        Problem.of(ProblemCode.LOG_NO_SPACE, free=3),
    )
    state = AgentState(1000.0, 7, True, (old,), (full,), "b", lag=3, services={"wal archive": "away"})
    write_state(tmp_path / "operator.json", state)
    assert read_state(tmp_path / "operator.json") == state
    assert state.problems(1299.0) == (full,)
    silent, last = state.problems(1000.0 + 3600)
    assert str(silent) == "the agent has said nothing for 60 min: no backups are made"
    assert last == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"found": [], "at": 1}',
        '{"found": [], "amiss": [], "more": 1}',
        '{"found": [{}], "amiss": []}',
    ],
)
def test_what_cannot_be_understood_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "operator.json").write_text(text)
    assert read_state(tmp_path / "operator.json") is None
    assert read_state(tmp_path / "absent") is None


class Away:
    """An archive whose server does not answer."""

    def start(self) -> None:
        raise OSError("no server")

    def is_alive(self) -> bool:
        return False

    def stop(self, timeout: float) -> None: ...

    def status(self) -> object:
        raise OSError("no server")


def test_whatever_fails_while_it_looks_is_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    backups = Backups(Dsn(), Stores([open_store(str(tmp_path / "disk"))]), self_init=True)
    archive = Deferred("wal archive", Away)
    with pytest.raises(OSError, match="no server"):
        archive.start()
    complaints = {"wal archive": "no server", "backup schedule": ""}
    report = Reporter(
        tmp_path / "state.json", backups, archive, lambda: complaints, every=0.1,  # type: ignore[arg-type]
        languages={"xx": lambda problem: problem.code.name},
    )  # fmt: skip
    report.start()
    until(lambda: read_state(tmp_path / "state.json"))
    state = read_state(tmp_path / "state.json")
    assert state is not None
    written = json.loads((tmp_path / "state.json").read_text())
    report.stop(5.0)
    assert (state.reach_from, state.reach_to) == (None, None)
    assert written["found"][0]["texts"] == {"xx": "NO_BACKUP"}, "for pages in other languages"
    assert list(map(str, state.found)) == ["there is no backup"]
    assert list(map(str, state.amiss)) == [
        "it cannot be seen how the backups are: no server",
        "wal archive does not run: no server",
    ]
    assert not (tmp_path / "state.json").exists()


def test_while_another_makes_the_backups_nothing_is_looked_at(tmp_path: Path) -> None:
    backups = Backups(Dsn(), Stores([open_store(str(tmp_path / "disk"))]), self_init=True)
    state = Reporter(tmp_path / "x", backups, None, dict, active=lambda: False).look()
    assert (state.active, state.found, state.amiss) == (False, (), ())


# Whose turn it is, and all of it at work, on one server


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    made.start()
    with psycopg.connect(made.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE ROLE copier LOGIN REPLICATION")  # all that bases and the log need
    yield made
    made.stop()


def test_one_of_two_is_the_leader_and_the_other_takes_over_when_its_session_ends(server: PostgresServer) -> None:
    def someone() -> bool:
        assert not (one.held() and other.held())
        return one.held() or other.held()

    with LeaderLock(server.dsn(), "t", every=0.1) as one, LeaderLock(server.dsn(), "t", every=0.1) as other:
        with LeaderLock(server.dsn(), "another", every=0.1) as third:
            until(lambda: someone() and third.held())
        for _ in range(3):
            with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
                conn.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            until(lambda: not someone())
            until(someone)
    with LeaderLock(server.dsn(), "t", every=0.1) as after:
        until(after.held)


def test_a_run_that_a_timer_began_leaves_it_to_the_leader(server: PostgresServer, tmp_path: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "DATABASE_URL": server.dsn().url, "BACKUP_DIR": initialised(tmp_path / "disk")}
        command = [sys.executable, "-m", "esteio", "backup", "run", "--no-verify", "--if-leader"]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    with leading(server.dsn()):
        refused = run()
        with pytest.raises(NotLeader), leading(server.dsn()):
            pass
    assert (refused.returncode, "another machine makes them now" in refused.stderr) == (75, True), refused.stderr
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["store.json"]
    done = run()
    assert done.returncode == 0, done.stderr


def test_timers_and_cron_ask_for_the_leader_lock() -> None:
    [task, *_] = scheduled("0 2 * * *", "", "UTC")
    for form in Form:
        assert all("--if-leader" in text or name.endswith(".timer") for name, text in _texts(task, form).items())
    assert "--if-leader" not in run_command("dump")  # the operator asked before


class Operator:
    """`esteio backup operate` with a directory of its own."""

    def __init__(self, server: PostgresServer, home: Path) -> None:
        home.mkdir(mode=0o711)
        self.env = {
            **os.environ,
            "DATABASE_URL": server.dsn(user="copier").url,
            "BACKUP_DIR": initialised(home / "disk"),
            "TMPDIR": str(home),
        }
        self.state_file = home / "disk/.operator.json"
        self._log = home / "log"
        with self._log.open("w") as log:
            command = [sys.executable, "-m", "esteio", "backup", "operate", "--dump", "", "--base", "0 2 1 1 *"]
            self.process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)

    def log(self) -> str:
        return self._log.read_text()

    def state(self) -> AgentState | None:
        return read_state(self.state_file)

    def asked(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "esteio", "backup", *arguments]
        return subprocess.run(command, env=self.env, capture_output=True, text=True)


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def test_notices_of_red_and_green_go_out_from_the_operator(tmp_path: Path) -> None:
    backups = Backups(Dsn(), Stores([open_store(str(tmp_path / "disk"))]), self_init=True)
    outbox = Outbox(tmp_path / "notices", Channels(["json://127.0.0.1:9"]))
    with operating(backups, Operation((), lambda kind: [kind], alone=True), Notices(outbox)) as runner:
        names = [service.name for service in runner._services]
        assert names == ["notices", "wal archive", "backup schedule", "backup watch"]  # what tells ends last
        events.emit(BackupsRed("city", ("the disk is full",)))
        assert outbox.owed() == 1
    events.emit(BackupsRed("city", ("the disk is full",)))
    assert outbox.owed() == 1


def test_the_log_is_not_received_where_a_disk_should_be_but_is_not(server: PostgresServer, tmp_path: Path) -> None:
    backups = Backups(server.dsn(), Stores([open_store(str(tmp_path / "not mounted/disk"))]))
    with pytest.raises(DirectoryMissing, match="the directory does not exist; mount the disk it is on"):
        backups.archive()
    assert not (tmp_path / "not mounted").exists()


def test_a_run_beside_another_is_refused_with_an_exit_code_of_its_own(server: PostgresServer, tmp_path: Path) -> None:
    env = {**os.environ, "DATABASE_URL": server.dsn().url, "BACKUP_DIR": initialised(tmp_path)}
    with Lock(tmp_path / ".lock"):
        done = subprocess.run(
            [sys.executable, "-m", "esteio", "backup", "run"], env=env, capture_output=True, text=True
        )
    assert done.returncode == AlreadyRunning.exit_code == 75
    assert f"process {os.getpid()} is at work there" in done.stderr


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(180)
def test_of_two_operators_one_makes_a_base_at_once_and_the_other_takes_over_from_a_killed_one(
    server: PostgresServer, home: Path
) -> None:
    first = Operator(server, home / "first")
    second = None
    try:
        until(lambda: "scheduled task wanted-base finished" in first.log(), first.log, 120)
        [base] = json.loads(first.asked("list", "--json").stdout)
        assert (base["kind"], base["verified"]) == ("base", True)
        until(
            lambda: (state := first.state()) and state.verified == base["id"] and not (state.found or state.amiss),
            first.log,
        )
        told = first.state()
        assert told is not None
        [recent] = [BackupRecord(**each) for each in told.recent]  # as the monthly report keeps it
        assert (recent.name, recent.kind, recent.sound) == (base["id"], "base", True)
        assert recent.size > 0
        assert recent.verified is not None
        assert recent.began < recent.verified
        assert first.asked("status").returncode == 0
        write_state(
            first.state_file, AgentState(time.time(), 1, True, amiss=(Problem.of(ProblemCode.LOG_SLOT, slot="lost"),))
        )
        red = first.asked("status")
        assert red.returncode == 2
        assert red.stdout.startswith("PROBLEM - the replication slot is lost")

        second = Operator(server, home / "second")
        until(lambda: "another machine is the leader; we wait" in second.log(), second.log)
        until(lambda: (state := second.state()) and not state.active, second.log)
        assert "wal archive" not in second.log()

        receivers = [p for p in psutil.Process(first.process.pid).children() if p.name() == "pg_receivewal"]
        first.process.kill()
        assert [p.name() for p in receivers] == ["pg_receivewal"]
        until(lambda: "service wal archive started" in second.log(), second.log)
        until(lambda: "wanted-base begins (base) because there is no base backup" in second.log(), second.log)
        assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in receivers)
        second.process.send_signal(signal.SIGTERM)  # in the midst of the run
        assert second.process.wait(60) == 143
        assert "Traceback" not in second.log()
        assert not second.state_file.exists()
        assert json.loads(second.asked("list", "--json").stdout) == []
    finally:
        for each in (first, second):
            if each is not None:
                each.process.kill()
                each.process.wait()
