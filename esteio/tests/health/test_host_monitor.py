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
