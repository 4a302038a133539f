"""What watches the host writes down what it sees, takes samples as often as it is told, and never ends by itself."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from esteio.health import Check, HistoryReader, HostMonitor, Measurements, Monitor
from esteio.health.series import HTTP, SERVICE, Key, State
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
