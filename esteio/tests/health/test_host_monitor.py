"""What watches the host writes down what it sees, takes samples as often as it is told, and never ends by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from esteio import events
from esteio.health import BoardFull, Check, CircuitOrder, HistoryReader, HostMonitor, Measurements, Monitor, Sampler
from esteio.health._circuits import CircuitFollower
from esteio.health.series import HOST, HTTP, SERVICE, Family, Key, Mark, State
from esteio.serve import ServiceDied, noted_deaths
from esteio.testing import ManualClock


def states(reader: HistoryReader, name: str, now: float) -> list[State]:
    return [interval.state for interval in reader.intervals(now - 3600, now).get(name, [])]


async def test_states_are_written_at_each_look_and_samples_once_an_interval(tmp_path: Path) -> None:
    clock, well, closed = ManualClock(), True, False
    path, measurements = tmp_path / "h", Measurements()
    at = measurements.slot.add(Key(HTTP, "GET", "2xx", "/"))
    ill = measurements.slot.add(Key(HTTP, "GET", "5xx", "/"))
    cancelled = measurements.slot.add(Key(HTTP, "GET", "cancelled", "/"))

    async def probe() -> float:
        if not well:
            raise OSError
        return 2.0

    monitor = Monitor([Check("db:x", probe, cache=0.0), Check("extra:x", probe, cache=0.0, essential=False)])
    host = HostMonitor(path, measurements, lambda: monitor, every=60, closed=lambda: closed, clock=clock)
    await host.look(monitor)
    for series, times in ((at, 7), (ill, 1), (cancelled, 4)):
        for _ in range(times):
            measurements.slot.record(series, 0.1)
    for look in range(1, 15):
        clock.advance(5)
        well, closed = look not in (3, 4), look in (4, 5)
        await host.look(monitor)
    now, reader = clock.time(), HistoryReader(path)
    up, down, closing = State.UP, State.DOWN, State.MAINTENANCE
    assert states(reader, "db:x", now) == [State.UNKNOWN, up, down, closing, up]
    assert states(reader, SERVICE, now) == [State.UNKNOWN, up, down, closing, up]
    (fallen,) = [i for i in reader.intervals(now - 100, now)[SERVICE] if i.state is State.DOWN]
    assert fallen.reason == "db:x, extra:x: OSError"
    minutes = reader.minutes(0)
    assert [point.average for point in minutes["requests.rate"]] == [pytest.approx(12 / 60)]
    assert [point.average for point in minutes["requests.errors"]] == [pytest.approx(100 / 8)], "of those not cancelled"
    assert minutes["requests.p50"][0].average == pytest.approx(100, rel=0.05)
    assert len(minutes["db:x"]) == 2
    assert 0 < minutes["host.memory"][0].average < 100, "what the machine says"
    assert set(HOST) >= {name for name in minutes if name.startswith("host.")}


def test_it_runs_in_a_thread_of_its_own_and_begins_anew_after_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("esteio.health._host_monitor._LOOK_EVERY", 0.01)
    tries = 0

    def made() -> Monitor:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("not yet")
        return Monitor([Check("x:x", lambda: asyncio.sleep(0, 1.0))])

    with HostMonitor(tmp_path / "h", Measurements(), made, every=0.01) as host:
        end = time.monotonic() + 30
        while time.monotonic() < end and not HistoryReader(tmp_path / "h").minutes(0).get("x:x"):
            time.sleep(0.01)
        assert host.is_alive()
        assert tries == 2
    assert not host.is_alive()
    assert HistoryReader(tmp_path / "h").minutes(0)["x:x"][0].average == 1.0


async def test_a_start_is_no_outage_but_what_was_well_once_or_never_is_for_long(tmp_path: Path) -> None:
    clock, measurements, failing = ManualClock(), Measurements(), {"db:x", "web:x"}
    measurements.began = clock.time()

    def check(name: str) -> Check:
        async def probe() -> float:
            if name in failing:
                raise OSError
            return 1.0

        return Check(name, probe, cache=0.0)

    async def look(host: HostMonitor, *now_failing: str) -> None:
        failing.clear()
        failing.update(now_failing)
        clock.advance(5)
        await host.look(monitor)

    monitor = Monitor([check("db:x"), check("web:x")])
    host = HostMonitor(tmp_path / "h", measurements, lambda: monitor, clock=clock)
    await look(host, "db:x", "web:x")
    await look(host, "web:x")
    await look(host)
    # An operator that was begun anew, in a service that was begun anew: it knows that there was something to lose.
    host, measurements.began = HostMonitor(tmp_path / "h", measurements, lambda: monitor, clock=clock), clock.time()
    await look(host, "db:x")
    now, reader = clock.time() + 1, HistoryReader(tmp_path / "h")
    unknown, up, down = State.UNKNOWN, State.UP, State.DOWN
    assert states(reader, "web:x", now) == [unknown, unknown, up], "before the monitor, and before the first readiness"
    assert states(reader, SERVICE, now) == [unknown, unknown, up, down]
    assert states(reader, "db:x", now) == [unknown, unknown, up, down]
    assert reader.intervals(now - 3600, now)[SERVICE][1].reason == "starting"

    host = HostMonitor(tmp_path / "never", measurements, lambda: monitor, clock=clock)
    await look(host, "db:x")
    clock.advance(290)
    await look(host, "db:x")
    assert states(HistoryReader(tmp_path / "never"), "db:x", clock.time() + 1)[-1] is down, "five minutes are no start"


async def test_kills_rolls_circuits_and_changed_settings_leave_marks(tmp_path: Path) -> None:
    path, clock, facts = tmp_path / "h", ManualClock(), {"version": "1", "LANG": "pt"}
    states: dict[str, float] = {"closed": 1.0}
    opened = 0.0

    def families() -> list[Family]:
        labels = (("pipeline", "cep"), ("policy", "breaker"))
        state = {("s", (*labels, ("state", name))): value for name, value in states.items()}
        return [
            Family("esteio_policy_breaker_state", "gauge", "", state),
            Family("esteio_policy_breaker_opened", "counter", "", {("s", labels): opened}),
        ]

    with Measurements.create(tmp_path / "m", workers=2) as made:

        def process(collect: Callable[[], list[Family]] | None = None) -> tuple[Measurements, Sampler]:
            measurements = Measurements(tmp_path / "m")
            sampler = Sampler(measurements, collect)
            sampler.begin()
            return measurements, sampler

        def monitor() -> HostMonitor:
            return HostMonitor(path, made, lambda: Monitor(), clock=clock, facts=lambda: facts)

        async def seen() -> list[tuple[str, str, str]]:
            clock.advance(5)
            before = len(HistoryReader(path).marks(0))
            await host.look(Monitor())
            return [(mark.kind, mark.name, mark.detail) for mark in HistoryReader(path).marks(0)[before:]]

        made.began = clock.time()
        host = monitor()
        first, sampling = process(families)
        second, other = process()
        assert await seen() == [("start", "", "")]
        assert await seen() == []
        states, opened = {"open": 1.0}, 1.0
        sampling._publish()
        assert await seen() == [("circuit", "cep/breaker", "open")]
        states = {"closed": 1.0}
        sampling._publish()
        assert await seen() == [("circuit", "cep/breaker", "closed")]
        opened = 2.0
        sampling._publish()
        assert [detail for _, _, detail in await seen()] == ["open", "closed"], "between two looks"
        other.end()
        second.close()
        assert await seen() == [("roll", "1", "")]
        sampling._handle.cancel()  # type: ignore[union-attr]  # without a word, as kill -9 does
        first.close()
        assert await seen() == [("kill", "1", "")]
        third, sampling = process()  # in the place of one of them
        assert await seen() == []
        host, facts = monitor(), {"version": "2", "LANG": "en", "NEW": "x"}
        assert sorted(await seen()) == [("setting", "LANG", ""), ("version", "2", "")]
        sampling.end()
        third.close()


async def test_an_order_for_a_circuit_reaches_every_process_and_those_that_begin_later(tmp_path: Path) -> None:
    from esteio.policy import CircuitBreaker, CircuitState, Pipeline

    with Measurements.create(tmp_path / "m", workers=2) as made, Measurements(tmp_path / "m") as worker:
        pipeline = Pipeline("ordered", CircuitBreaker())
        follower = CircuitFollower(worker.board)
        assert not follower()
        with Measurements(tmp_path / "m") as taking:
            taking.order("ordered/ordered", CircuitOrder.ISOLATE)
        assert follower()
        assert pipeline.circuit.state is CircuitState.FORCED_OPEN
        assert not follower(), "once"
        later = Pipeline("ordered", CircuitBreaker())
        CircuitFollower(worker.board)()
        assert later.circuit.state is CircuitState.FORCED_OPEN, "also of a process that begins later"
        made.order("ordered/ordered", CircuitOrder.RESET)
        follower()
        assert later.circuit.state is CircuitState.CLOSED
        for number in range(199):
            made.order(f"another/{number}", CircuitOrder.RESET)
        with pytest.raises(BoardFull, match="one/more"):
            made.order("one/more", CircuitOrder.RESET)


def test_a_monitor_that_was_killed_and_a_service_beside_it_that_died_leave_marks(tmp_path: Path) -> None:
    measurements, path = Measurements(), tmp_path / "h"

    def until(kind: str) -> list[Mark]:
        end = time.monotonic() + 60
        while time.monotonic() < end and not any(mark.kind == kind for mark in HistoryReader(path).marks(0)):
            time.sleep(0.01)
        return [mark for mark in HistoryReader(path).marks(0) if mark.kind != "start"]

    with HostMonitor(path, measurements, Monitor):
        until("start")
        with noted_deaths(measurements.board.died):
            events.emit(ServiceDied("wal archive", 1, 0.5))
        assert [(mark.kind, mark.name) for mark in until("service")] == [("service", "wal archive")]
        assert measurements.board.watched_at > 0
    assert measurements.board.watched_at == 0, "ended in order"
    measurements.board.watched_at = time.time()  # the one before was killed
    with HostMonitor(path, measurements, Monitor):
        assert [mark.kind for mark in until("kill")] == ["service", "kill"]
    assert measurements.board.killed_at > 0
