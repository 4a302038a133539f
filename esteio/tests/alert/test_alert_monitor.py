"""What decides: from checks, requests and what happened to one durable notice, over crashes, damage and full disks."""

from __future__ import annotations

import inspect
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receivers import http_receiver

from esteio.alert import Channel, Channels, NotDelivered, Notice, Outbox
from esteio.alert.incidents import Evidence, Source
from esteio.alert.journal import MOST, Journal, JournalReader, note_events
from esteio.alert.monitor import (
    EVERY_CHECK,
    AlertMonitor,
    Alerts,
    RequestCounter,
    View,
    Watched,
    evidence_of,
    reference_page,
    service_definitions,
    uptimes,
)
from esteio.alert.objectives import WINDOWS, Ledger, Minute, Objective, budget
from esteio.alert.rules import Condition, Pacing, Severity, Silence
from esteio.events import emit
from esteio.health import HistoryReader, Measurements, Report, Result, Status, checks
from esteio.health._history import History, Observation
from esteio.health.series import HTTP, SERVICE, Family, Key, Mark, State, WorkerReading
from esteio.metrics import PACES, Thresholds
from esteio.metrics._rules import alerting_rules
from esteio.policy import CircuitChanged
from esteio.postgres import DatabaseLost, SlowQuery
from esteio.serve import (
    RollAborted,
    RollFinished,
    ServiceDied,
    ServiceFailed,
    WorkerDied,
    WorkerHung,
)
from esteio.testing import ManualClock

CHECKS = (
    "web:responseTime", "postgres:responseTime", "redis:responseTime", "disk:free", "clock:offset", "tls:certificate",
    "tls:cluster", "jobs:waiting", "replication:lag", "backup:directory", "backup:free", "heartbeat:labels",
)  # fmt: skip
KILLS = int(os.environ.get("ESTEIO_NOTICE_KILLS", "2"))


class Silent(Channels):
    """Channels of this process that take everything."""

    def __init__(self, *names: str) -> None:
        super().__init__([])
        self.channels = tuple(Channel(name, name, "") for name in names)
        self.taken: list[tuple[str, str]] = []
        self.refusing = False

    def send(self, channel: Channel, notice: Notice, timeout: float = 15.0) -> None:
        if self.refusing:
            raise NotDelivered(channel.name, notice.subject, "it is full")
        self.taken.append((channel.name, notice.subject))


class Host:
    """A monitor with a clock of its own, a round every two seconds."""

    def __init__(self, directory: Path, *channels: str) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.channels = Silent(*(channels or ("a",)))
        self.outbox = Outbox(directory / "notices", self.channels)
        self.measurements = Measurements()
        self.results: dict[str, Result] = {}
        self.closed = False
        self.marks: list[Mark] = []
        self.begin()

    def begin(self, **options: Any) -> None:
        """As a process that was just started."""
        watched = Watched(self.report, self.measurements, lambda: self.closed, lambda: (), self.happened)
        definitions = service_definitions(CHECKS)
        self.monitor = AlertMonitor(self.directory, definitions, watched, self.outbox, clock=self.clock, **options)

    def happened(self, since: float) -> list[Evidence]:
        return evidence_of(mark for mark in self.marks if mark.at >= since)

    def report(self) -> tuple[Report, float]:
        now = self.clock.time()
        results = {
            name: Result(self.results.get(name, Status.PASS), 1.0, "ms", now, "why")
            for name in CHECKS  # type: ignore[arg-type]
        }
        failed = any(result.status is Status.FAIL for result in results.values())
        return Report(Status.FAIL if failed else Status.PASS, results), now

    def rounds(self, seconds: float, **failing: Status) -> list[tuple[str, list[str]]]:
        self.results = {name.replace("_", ":"): status for name, status in failing.items()}  # type: ignore[misc]
        said = []
        for _ in range(int(seconds / 2)):
            said += [(str(m.kind), [a.name for a in m.alerts]) for m in self.monitor.round()]
            self.clock.advance(2.0)
        return said

    def requests(self, good: int, failed: int = 0) -> None:
        slot = self.measurements.slot
        for outcome, count in (("2xx", good), ("5xx", failed)):
            at = slot.find(Key(HTTP, "GET", outcome, "/")) or slot.add(Key(HTTP, "GET", outcome, "/"))
            for _ in range(count):
                slot.record(at, 0.01)


DOWN = {"postgres_responseTime": Status.FAIL}


def test_a_database_that_is_down_is_told_once_by_every_channel_over_a_restart_and_so_is_its_return(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path, "a", "b")
    host.rounds(20)
    assert host.rounds(20, **DOWN) == [("opened", ["postgres:down"])]
    host.begin()
    assert host.rounds(20, **DOWN) == []
    assert host.rounds(90) == [("recovered", ["postgres:down"])]
    host.outbox.deliver()
    subjects = ["PROBLEM: the database does not answer", "Well again: the database does not answer"]
    assert sorted(host.channels.taken) == [(name, subject) for name in "ab" for subject in subjects]


def test_requests_and_probes_make_one_incident_with_the_cause_that_the_journal_knows(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.rounds(10)
    Journal(tmp_path / "events.jsonl", host.clock).note("deploy", "2.0")
    host.rounds(4)
    host.requests(10, 40)
    said = host.rounds(30, **DOWN)
    assert ("opened", ["postgres:down"]) in said
    host.rounds(200)
    [incident] = Alerts(tmp_path / "alerts.sqlite").incidents()
    assert (incident.cause, incident.open) == ("deploy", False)
    assert set(incident.sources) == {Source.PROBE}, "the failed requests are explained by the database"
    assert incident.down == pytest.approx(30, abs=4)
    now = host.clock.time()
    left = budget(Objective(), Alerts(tmp_path / "alerts.sqlite").ledger(), now)
    assert (left.tally.total, left.tally.bad) == (50, 40)


def test_while_the_probes_are_well_failing_requests_are_an_incident_of_their_own(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.rounds(10)
    said = []
    for _ in range(20):
        host.requests(5, 5)
        said += host.rounds(2)
    assert [names for kind, names in said if kind == "opened"] == [["requests:errors"]]
    [incident] = Alerts(tmp_path / "alerts.sqlite").incidents()
    assert (incident.sources, incident.cause) == ((Source.REQUESTS,), "requests:errors")


def test_what_is_being_started_is_not_broken_and_what_never_comes_up_is(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.rounds(40, web_responseTime=Status.FAIL) == []
    host.rounds(60)
    assert Alerts(tmp_path / "alerts.sqlite").incidents() == []
    assert host.rounds(14, web_responseTime=Status.FAIL) == [("opened", ["web:down"])]
    host.begin()  # a monitor that begins anew in the middle of it goes on with it
    host.rounds(20, web_responseTime=Status.FAIL)
    [incident] = Alerts(tmp_path / "alerts.sqlite").incidents()
    assert incident.open
    never = Host(tmp_path / "never")
    never.directory.mkdir()
    assert never.rounds(60, **DOWN) == []
    assert never.rounds(16, **DOWN) == [("opened", ["postgres:down"])]


def test_another_process_silences_and_acknowledges(tmp_path: Path) -> None:
    host, people = Host(tmp_path), Alerts(tmp_path / "alerts.sqlite")
    host.rounds(4)
    people.silence(Silence("postgres:*", host.clock.time() + 60, "maria", "we know"))
    assert host.rounds(50, **DOWN) == []
    assert [silence.by for silence in people.silences(host.clock.time())] == ["maria"]
    assert host.rounds(20, **DOWN) == [("opened", ["postgres:down"])]
    people.acknowledge("postgres:down", "maria")
    assert host.rounds(1000, **DOWN) == []
    [alert] = [alert for alert in people.firing() if not alert.held]
    assert (alert.name, alert.acknowledged) == ("postgres:down", "maria")
    with pytest.raises(KeyError):
        people.acknowledge("disk:full", "maria")


def test_a_page_nobody_acknowledges_goes_to_the_channels_of_the_escalation_and_so_does_its_end(tmp_path: Path) -> None:
    host = Host(tmp_path, "a", "boss")
    first, boss = host.channels.channels
    host.channels.channels = (first, replace(boss, escalation=True))
    host.begin(pacing=Pacing(escalate_after=60.0))
    host.rounds(20)
    assert host.rounds(40, **DOWN) == [("opened", ["postgres:down"])]
    host.outbox.deliver()
    assert {name for name, _ in host.channels.taken} == {"a"}
    assert host.rounds(60, **DOWN) == [("escalated", ["postgres:down"])]
    host.rounds(90)
    host.outbox.deliver()
    told = [subject.partition(":")[0] for name, subject in host.channels.taken if name == "boss"]
    assert told == ["NOBODY looks after it", "Well again"]


def test_one_failure_of_three_requests_at_night_wakes_nobody_and_neither_does_a_night_without_any(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    host.rounds(20)
    host.requests(2, 1)
    assert host.rounds(400) == []  # the five minutes of the errors, and longer
    assert Alerts(tmp_path / "alerts.sqlite").incidents() == []


@pytest.mark.parametrize("leap", [3600.0, -3600.0])
def test_a_clock_that_leaps_by_an_hour_tells_nothing_and_an_outage_around_it_once(tmp_path: Path, leap: float) -> None:
    """The monotonic clock goes on: what is measured in rounds is the same, and the downtime is no hour longer."""
    host = Host(tmp_path)
    host.rounds(100)
    host.clock.set_time(host.clock.time() + leap)
    assert host.rounds(100) == []
    said = host.rounds(30, **DOWN)
    host.clock.set_time(host.clock.time() - leap)
    said += host.rounds(30, **DOWN) + host.rounds(200)
    assert said == [("opened", ["postgres:down"]), ("recovered", ["postgres:down"])]
    alerts = Alerts(tmp_path / "alerts.sqlite")
    [incident] = alerts.incidents()
    assert incident.down == pytest.approx(60, abs=8)
    assert not incident.open
    now = host.clock.time()
    assert alerts.ledger().over(1e9, now).down == pytest.approx(60, abs=8)
    assert alerts.between(0, now + 1e6).down == alerts.ledger().over(1e9, now).down, "the hours say the same"
    assert alerts.ledger().over(60.0, now).down == 0, "what was counted by the wrong clock grows old with the right one"


def test_uptime_of_a_year_counts_intervals_of_90_days_and_the_days_before_them(tmp_path: Path) -> None:
    history, day = History(tmp_path / "health.sqlite", gap=8000), 86_400
    now, step = 20_000 * day, 7200
    looks = [
        (now - 100 * day + n * step, State.DOWN if n % 10 == 3 else State.UP) for n in range(100 * day // step + 1)
    ]
    assert history.observe(*(Observation(at, states={SERVICE: (state, "")}) for at, state in looks))
    history.close()
    found = uptimes(HistoryReader(history.path, gap=8000), now)
    for each in found:
        down = sum(step for at, state in looks[:-1] if state is State.DOWN and at >= now - each.period)
        assert each.seconds[State.DOWN] == pytest.approx(down, abs=step)
        assert each.seconds[State.UNKNOWN] == pytest.approx(max(0, each.period - 100 * day))
        assert sum(each.seconds.values()) == pytest.approx(each.period)


def test_marks_of_the_history_are_evidence(tmp_path: Path) -> None:
    marks = [
        Mark(1.0, "version", "2.0"),
        Mark(2.0, "setting", "SISPAT_WORKERS"),
        Mark(3.0, "kill", "1"),
        Mark(4.0, "start"),
    ]
    assert evidence_of(marks) == [
        Evidence(1.0, "deploy", "2.0"),
        Evidence(2.0, "settings", "SISPAT_WORKERS"),
        Evidence(4.0, "boot", ""),
    ]
    host = Host(tmp_path)
    host.rounds(4)
    host.marks = [Mark(host.clock.time() - 60, "setting", "SISPAT_WORKERS")]
    host.rounds(10, **DOWN)
    assert Alerts(tmp_path / "alerts.sqlite").incidents()[0].cause == "settings"


def test_in_maintenance_nothing_opens_and_its_downtime_is_apart(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.rounds(10)
    host.closed = True
    assert host.rounds(60, **DOWN) == []
    host.closed = False
    host.rounds(120)
    [incident] = Alerts(tmp_path / "alerts.sqlite").incidents()
    assert incident.maintenance
    now = host.clock.time()
    assert Alerts(tmp_path / "alerts.sqlite").ledger().over(3600, now).down == 0


def test_a_process_that_died_is_told_at_once_and_one_that_keeps_dying_wakes_somebody(tmp_path: Path) -> None:
    host, journal = Host(tmp_path), None
    journal = Journal(tmp_path / "events.jsonl", host.clock)
    host.rounds(4)
    journal.note("process-died", "worker 1: killed by SIGKILL")
    assert host.rounds(4) == [("opened", ["worker:died"])]
    for _ in range(2):
        journal.note("process-died", "worker 1: killed by SIGKILL")
    assert host.rounds(4) == [("opened", ["process:crash-loop"])]


def test_who_was_away_with_everything_else_says_so_when_it_is_back(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.rounds(40)
    host.clock.advance(3600)
    host.begin()
    assert ("opened", ["process:died"]) in host.rounds(10)


def test_a_store_that_is_damaged_or_locked_keeps_nobody_from_being_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("esteio.alert.monitor._file._PATIENCE", 0.01)
    (tmp_path / "alerts.sqlite").write_bytes(b"no database" * 1000)
    host = Host(tmp_path)
    host.rounds(4)
    assert "set aside" in caplog.text
    locker = sqlite3.connect(tmp_path / "alerts.sqlite", isolation_level=None)
    locker.execute("begin exclusive")
    assert host.rounds(14, **DOWN) == [("opened", ["postgres:down"])]
    assert host.outbox.owed() == 1
    locker.execute("rollback")
    locker.close()
    assert host.rounds(90) == [("recovered", ["postgres:down"])]


def test_what_people_silenced_stays_so_while_the_store_cannot_be_opened(tmp_path: Path) -> None:
    """As on a full disk: on each try it is opened anew, in vain."""
    host, file = Host(tmp_path), tmp_path / "alerts.sqlite"
    host.rounds(4)
    Alerts(file).silence(Silence("postgres:*", host.clock.time() + 60, "maria", "we know"))
    host.rounds(4)
    host.monitor._store.close()
    file.rename(tmp_path / "away")
    file.mkdir()
    assert host.rounds(50, **DOWN) == []
    assert host.rounds(20, **DOWN) == [("opened", ["postgres:down"])], "and no longer"


def test_a_round_that_fails_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[int] = []

    def report() -> None:
        asked.append(1)
        raise RuntimeError("no report")

    watched = Watched(report, Measurements())
    with AlertMonitor(tmp_path, service_definitions(CHECKS), watched, every=0.01) as monitor:
        until = time.monotonic() + 30
        while len(asked) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert monitor.is_alive()
    assert len(asked) >= 3
    assert "a round of the alerts failed" in caplog.text


# Definitions

SEE = {each.rule.name: each.see for each in service_definitions(CHECKS)}
NOW = 1_800_000_000.0


def seen(check: str, status: Status, observed: float | None = 1.0, age: float = 0.0) -> View:
    return View(NOW, {check: Result(status, observed, "ms", NOW - age, "why")}, problems=())


def worker(memory: int = 0, cpu: float = 0.0) -> View:
    return View(NOW, workers=[WorkerReading(0, 7, NOW, NOW, 0, 0.0, memory, 1.0, cpu)])


def happened(code: str, *details: str) -> View:
    return View(NOW, happened=tuple(Evidence(NOW - 5, code, detail) for detail in details))


def circuit(state: str) -> View:
    labels = (("pipeline", "cep"), ("policy", "breaker"), ("state", state))
    return View(NOW, families=[Family("esteio_policy_breaker_state", "gauge", "", {("x", labels): 1.0})])


def failing(failed: int, requests: int) -> View:
    return View(NOW, ledger=Ledger([Minute(int(NOW), requests, failed, failed)]))


BAD, WELL, UNKNOWN = Condition.BAD, Condition.WELL, Condition.UNKNOWN


@pytest.mark.parametrize(
    ("name", "bad", "well"),
    [
        ("web:down", seen("web:responseTime", Status.FAIL), seen("web:responseTime", Status.WARN)),
        ("postgres:down", seen("postgres:responseTime", Status.FAIL), seen("postgres:responseTime", Status.PASS)),
        ("postgres:slow", seen("postgres:responseTime", Status.WARN, 1001.0), seen("postgres:responseTime", Status.WARN, 9.0)),
        ("redis:down", seen("redis:responseTime", Status.FAIL), seen("redis:responseTime", Status.PASS)),
        ("disk:full", seen("disk:free", Status.FAIL), seen("disk:free", Status.WARN)),
        ("disk:low", seen("disk:free", Status.WARN), seen("disk:free", Status.PASS)),
        ("clock:offset", seen("clock:offset", Status.WARN), seen("clock:offset", Status.PASS)),
        ("jobs:stuck", seen("jobs:waiting", Status.WARN), seen("jobs:waiting", Status.PASS)),
        ("tls:refused", seen("tls:certificate", Status.FAIL), seen("tls:certificate", Status.WARN)),
        ("tls:certificate", seen("tls:certificate", Status.WARN, age=3600), seen("tls:certificate", Status.PASS)),
        ("tls:cluster", seen("tls:cluster", Status.WARN, age=60), seen("tls:cluster", Status.PASS)),
        ("replication:lag", seen("replication:lag", Status.WARN), seen("replication:lag", Status.PASS)),
        ("backup:directory", seen("backup:directory", Status.FAIL), seen("backup:directory", Status.PASS)),
        ("backup:full", seen("backup:free", Status.WARN), seen("backup:free", Status.PASS)),
        ("heartbeat:labels", seen("heartbeat:labels", Status.FAIL), seen("heartbeat:labels", Status.PASS)),
        ("memory:high", worker(memory=401_000_000), worker(memory=400_000_000)),
        ("cpu:high", worker(cpu=81.0), worker(cpu=80.0)),
        ("circuit:open", circuit("open"), circuit("half-open")),
        ("process:died", happened("process-died", "a: x"), happened("process-died", "worker 1: x")),
        ("worker:died", happened("process-died", "worker 1: x"), happened("process-died", "operator: x")),
        ("operator:died", happened("process-died", "operator: x"), happened("deploy", "operator: x")),
        ("postgresql:died", happened("process-died", "PostgreSQL: x"), happened("process-died", "worker 1: x")),
        ("process:crash-loop", happened("process-died", *["a: x"] * 3), happened("process-died", "a: x", "a: x", "b: x")),
        ("statements:slow", happened("slow-statement", "3.5 s: select"), View(NOW)),
        ("requests:errors", failing(20, 100), failing(5, 100)),
        ("availability:burn-1h", failing(20, 100), failing(0, 100)),
        ("availability:burn-6h", failing(20, 100), failing(0, 100)),
        ("availability:burn-1d", failing(20, 100), failing(0, 100)),
        ("availability:burn-3d", failing(20, 100), failing(0, 100)),
        ("latency:burn-1h", failing(90, 100), failing(2, 100)),
        ("latency:burn-6h", failing(90, 100), failing(2, 100)),
        ("latency:burn-1d", failing(90, 100), failing(2, 100)),
        ("latency:burn-3d", failing(90, 100), failing(1, 100)),
        ("backup:failing", View(NOW, problems=(("TOO_OLD", "old"),)), View(NOW, problems=(("LOG_GAP", "gap"),))),
        ("wal:failing", View(NOW, problems=(("LOG_GAP", "gap"),)), View(NOW, problems=(("TOO_OLD", "old"),))),
    ],
)  # fmt: skip
def test_each_alert_sees_what_is_bad_and_what_is_well(name: str, bad: View, well: View) -> None:
    rule = {each.rule.name: each.rule for each in service_definitions(CHECKS)}[name]
    assert rule.judge(SEE[name](bad), was_bad=False) is BAD
    assert rule.judge(SEE[name](well), was_bad=False) is WELL


def test_every_definition_is_tried_above_and_what_nobody_measured_is_unknown() -> None:
    [mark] = test_each_alert_sees_what_is_bad_and_what_is_well.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _, _ in mark.args[1]} == set(SEE)
    nothing = {name for name, see in SEE.items() if see(View(NOW)).condition is UNKNOWN}
    assert nothing == set(SEE) - {
        "circuit:open", "process:died", "worker:died", "operator:died", "postgresql:died", "process:crash-loop",
        "statements:slow",
    }  # fmt: skip
    old = seen("web:responseTime", Status.FAIL, age=31)
    assert SEE["web:down"](old).condition is UNKNOWN


def test_the_reference_is_what_the_definitions_say() -> None:
    """`make docs` writes it."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "alerts.md"
    assert page.read_text(encoding="utf-8") == reference_page()


@pytest.mark.parametrize("page", ["runbook.md", "plantao.md"])
def test_the_runbook_says_for_every_alert_what_to_do(page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / page).read_text(encoding="utf-8")
    headings = re.findall(r"^### (\S+)$", text, re.M)
    assert sorted(headings) == sorted(each.rule.name for each in service_definitions(EVERY_CHECK))


# Those of `checks` without an alert of their own: what is wrong there is told by another one, or they are asked by workers.
ELSEWHERE = {
    "backup:age": ("backup:failing", "wal:failing"), "workers:count": ("process:died",), "host:watched": ("operator:died",),
    "dns:responseTime": (),  # it explains another check; who has one gives it a definition
}  # fmt: skip


def test_every_check_that_has_a_name_has_an_alert_or_says_which_one_tells_of_it() -> None:
    names = {
        parameter.default
        for each in checks.__all__
        for parameter in [inspect.signature(getattr(checks, each)).parameters.get("name")]
        if parameter is not None and parameter.default is not inspect.Parameter.empty
    }
    alerts = {each.rule.name for each in service_definitions(EVERY_CHECK)}
    assert names - set(EVERY_CHECK) == ELSEWHERE.keys()
    assert {alert for told in ELSEWHERE.values() for alert in told} <= alerts
    rows = set(re.findall(r"^\| `([^`]+)`", reference_page(), re.M))
    assert rows == alerts
    for name in EVERY_CHECK:
        assert len(service_definitions([name], backups=False)) > len(service_definitions([], backups=False)), name


def test_what_the_rules_of_prometheus_compare_with_is_what_these_compare_with() -> None:
    """One table: changed there, both change."""
    paced = {each.rule.name: each.rule for each in service_definitions(EVERY_CHECK) if each.rule.name in PACES}
    assert paced.keys() == PACES.keys()
    theirs = {each.name: each for each in alerting_rules("job", Thresholds())}
    for name, pace in PACES.items():
        assert (str(paced[name].severity), paced[name].fire_after) == (pace.severity, pace.lasting), name
        assert theirs[pace.rule].severity == pace.severity
    changed = Thresholds(memory_bytes=1e9, cpu=0.5, database_seconds=2.0)
    rules = {each.rule.name: each.rule for each in service_definitions(EVERY_CHECK, thresholds=changed)}
    assert [rules[name].above for name in ("memory:high", "cpu:high", "postgres:slow")] == [1000.0, 50.0, 2000.0]
    burning = [each for each in theirs if each.startswith("EsteioErrorBudgetBurn")]
    assert burning == [f"EsteioErrorBudgetBurn{window.name}" for window in WINDOWS]


def test_pages_are_few() -> None:
    pages = {each.rule.name for each in service_definitions(CHECKS) if each.rule.severity is Severity.PAGE}
    assert pages == {
        "web:down", "postgres:down", "disk:full", "tls:refused", "process:crash-loop", "requests:errors",
        "availability:burn-1h", "availability:burn-6h", "latency:burn-1h", "latency:burn-6h",
    }  # fmt: skip


def test_requests_are_counted_from_0_when_the_counters_began_anew() -> None:
    measurements, counter = Measurements(), RequestCounter()
    slot = measurements.slot
    at = slot.add(Key(HTTP, "GET", "5xx", "/"))
    slot.record(at, 0.1)
    assert counter(measurements.read(), NOW) == Minute(int(NOW))
    slot.record(at, 2.0)
    assert counter(measurements.read(), NOW) == Minute(int(NOW), 1, 1, 1)
    fresh = Measurements()
    fresh.slot.record(fresh.slot.add(Key(HTTP, "GET", "2xx", "/")), 0.1)
    assert counter(fresh.read(), NOW) == Minute(int(NOW), 1, 0, 0)


# The journal


def test_the_journal_tells_each_line_once_and_is_begun_anew_when_it_is_long(tmp_path: Path) -> None:
    clock = ManualClock()
    journal, reader = Journal(tmp_path / "events.jsonl", clock), JournalReader(tmp_path / "events.jsonl", clock=clock)
    assert reader.read() == []
    journal.note("deploy", "2.0\nand more")
    journal.note("old", at=clock.time() - 3600)
    with journal.path.open("ab") as file:
        file.write(b'{"at": 1}\nno line\n{"at": 99999999999, "code": "half')
    assert [(each.code, each.detail) for each in reader.read()] == [("deploy", "2.0 and more")]
    with journal.path.open("ab") as file:
        file.write(b'", "detail": ""}\n')
    assert [each.code for each in reader.read()] == ["half"]
    with journal.path.open("ab") as file:
        file.write(b"x" * MOST + b"\n")
    journal.note("one")
    reader.read()
    journal.note("two")
    assert [each.code for each in reader.read()] == ["two"]
    assert journal.path.stat().st_size < 200
    Journal(tmp_path / "no" / "directory").note("nothing")


def test_what_a_process_sees_is_noted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    end = note_events(journal)
    emit(CircuitChanged("cep", "closed", "open", "5 of 5 failed", 30.0))
    emit(CircuitChanged("cep", "open", "half-open", ""))
    emit(WorkerDied("worker 2", 7, -9, "killed by SIGKILL", 1.0, 1, 0.0, ever_ready=True))
    emit(WorkerHung("worker 2", 7, 11.0))
    emit(ServiceDied("operator", 1, 0.0))
    emit(ServiceFailed("operator", "no disk", None))
    emit(RollFinished("workers", 3.0))
    emit(RollAborted("worker 1", 7, "did not become ready"))
    emit(SlowQuery("main", 3.5, "f", "select $1", "int", "here", "/", None))
    emit(DatabaseLost("main", "terminating connection (57P01)"))
    end()
    emit(CircuitChanged("cep", "closed", "open", "5 of 5 failed", 30.0))
    assert [(e.code, e.detail) for e in JournalReader(journal.path).read()] == [
        ("circuit-open", "cep"),
        ("process-died", "worker 2: killed by SIGKILL"),
        ("process-died", "worker 2: it hung for 11 s and was killed"),
        ("process-died", "operator: it died"),
        ("process-died", "operator: no disk"),
        ("deploy", "workers: all workers are new"),
        ("deploy", "worker 1: did not become ready"),
        ("slow-statement", "3.5 s: select $1"),
        ("database-shutdown", "main: terminating connection (57P01)"),
    ]


# Killed

# Of its channels only the way to the receivers is its own: a process for each notice would be most of the time.
PROGRAM = """
import json, sys, time, urllib.request
from pathlib import Path
from esteio.alert import Channel, Channels, NotDelivered, Outbox
from esteio.alert.monitor import AlertMonitor, Definition, Watched
from esteio.alert.rules import Condition, Rule, Severity, Signal
from esteio.health import Measurements
directory, *urls = sys.argv[1:]

class Direct(Channels):
    def __init__(self):
        super().__init__([])
        self.channels = tuple(Channel(f"c{number}", f"c{number}", url) for number, url in enumerate(urls))

    def send(self, channel, notice, timeout=15.0):
        body = json.dumps({"title": notice.subject, "message": notice.body}).encode()
        try:
            urllib.request.urlopen(urllib.request.Request(channel.url, body), timeout=timeout).close()
        except OSError as error:
            raise NotDelivered(channel.name, notice.subject, str(error)) from error

flag = Path(directory) / "bad"
rule = Rule("thing", Severity.PAGE, fire_after=0.0, clear_after=0.0)

def see(view):
    try:
        return Signal(Condition.BAD, flag.read_text())
    except FileNotFoundError:
        return Signal(Condition.WELL)

outbox = Outbox(Path(directory) / "notices", Direct(), every=0.2)
outbox.start()
watched = Watched(lambda: None, Measurements())
monitor = AlertMonitor(Path(directory), [Definition(rule, "thing", "", see)], watched, outbox, every=0.02)
monitor.start()
print("ready", flush=True)
time.sleep(600)
"""


def waiting(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(3600)
def test_killed_at_any_moment_it_loses_no_notice_and_tells_none_more_than_once_for_each_kill(tmp_path: Path) -> None:
    """Each kill falls into a decision: the flag turns, and the process dies 0 to 0.5 s later."""
    alerts, flag = Alerts(tmp_path / "alerts.sqlite"), tmp_path / "bad"
    with http_receiver() as well, http_receiver() as failing:
        failing.status = 500
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), well.url, failing.url]
        for turn in range(2 * KILLS):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
                assert waiting(lambda: bool(alerts.firing()) is flag.exists())  # what the last one may not have got to
                if flag.exists():
                    flag.unlink()
                else:
                    flag.with_suffix(".new").write_text(f"turn {turn // 2}.")
                    flag.with_suffix(".new").replace(flag)  # whole, or not there
                time.sleep(turn * 0.13 % 0.5)
                child.send_signal(signal.SIGKILL)
        failing.status = 200
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            left = lambda: list((tmp_path / "notices").glob("*.json"))  # noqa: E731
            assert waiting(lambda: len(failing.subjects) >= 2 * KILLS and not left(), 120)
            child.send_signal(signal.SIGKILL)
        for receiver in (well, failing):
            for kind in ("PROBLEM", "Well again"):
                told = [n["message"] for n in receiver.notices if n["title"].startswith(kind)]
                counts = [sum(f"turn {number}." in message for message in told) for number in range(KILLS)]
                assert min(counts) >= 1, (kind, [n for n, count in enumerate(counts) if not count], len(told))
                assert sum(counts) <= KILLS + 2 * KILLS, (kind, counts)
