"""Counters of all workers are exact through any end of any of them, and readers never wait."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from esteio.health import MEASUREMENTS, Measurements, MeasurementsError
from esteio.health._region import REGION_BYTES
from esteio.health._samples import pack
from esteio.health.series import HTTP, Family, Field, Key, Region

KEY = Key("http", "GET", "2xx", "/items/{id}")
WORKER = Path(__file__).with_name("measuring_worker.py")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with Measurements.create(tmp_path / "m", workers=1) as made:
        assert made.path is not None
        yield made.path


def counted(measurements: Measurements) -> int:
    return measurements.read().total().count


def test_what_several_count_is_read_together_and_stays_when_they_are_gone(path: Path) -> None:
    workers = [Measurements(path) for _ in range(3)]
    for number, each in enumerate(workers):
        at = each.slot.add(KEY)
        for _ in range(number + 1):
            each.slot.record(at, 0.01)
    with Measurements(path) as reader:
        assert counted(reader) == 6
        assert len(reader.read().workers) == 3
        for each in workers:
            each.close()
        assert counted(reader) == 6
        assert reader.read().workers == ()
        assert reader.read().series[KEY].seconds == pytest.approx(0.06)


def test_a_hundred_rolls_keep_every_count(path: Path) -> None:
    with Measurements(path) as reader:
        page = pack([Family("a", "counter", "", {("a_total", ()): 2.0}), Family("g", "gauge", "", {("g", ()): 5.0})])
        for turn in range(1, 101):
            with Measurements(path) as worker:
                worker.slot.record(worker.slot.add(KEY), 0.01)
                worker.slot.write_page(page)
            assert counted(reader) == turn
        families = {family.name: family for family in reader.read().families}
        assert families["a"].samples["a_total", ()] == 200.0
        assert "g" not in families, "a gauge of a process that is gone"


@pytest.mark.fault
@pytest.mark.untimed
def test_a_worker_killed_between_two_requests_loses_none(path: Path) -> None:
    with Measurements(path) as reader:
        for turn in range(1, 4):
            worker = subprocess.Popen(
                [sys.executable, str(WORKER), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
            assert worker.stdout
            assert worker.stdout.readline() == "100\n"
            worker.kill()
            worker.communicate()
            assert counted(reader) == 100 * turn
        assert reader.read().families[0].samples["esteio_x_total", ()] == 3.0


def test_what_collectors_count_under_ever_new_names_is_bounded_and_does_not_go_back(path: Path, caplog) -> None:
    chance, before = random.Random(1), 0
    with Measurements(path) as reader:
        for turn in range(12):
            with Measurements(path) as worker:
                names = [chance.randbytes(8).hex() for _ in range(600)]
                samples = {("a_total", (("name", name),)): 1.0 for name in names}
                assert worker.slot.write_page(pack([Family("a", "counter", "", samples)]))
            (family,) = reader.read().families
            assert len(family.samples) >= before, turn
            before = len(family.samples)
    assert "no room" in caplog.text


@pytest.mark.parametrize("where", ["before the base counts", "before the slot is cleared", "while the slot is cleared"])
def test_a_worker_killed_while_it_folds_neither_loses_nor_doubles(path: Path, where: str) -> None:
    with Measurements(path) as worker:
        worker.slot.record(worker.slot.add(KEY), 0.01)
    with Measurements(path) as victim:
        region = victim._regions[2]
        if where == "before the base counts":
            target = victim._regions[1]
            target.write(KEY, region.tallies()[KEY])  # half of a fold: the other base, but not the generation
        else:
            victim._fold(0, region, victim._regions[0])
        if where == "while the slot is cleared":
            region.words[Field.COUNT] = 0
    with Measurements(path) as reader:
        assert counted(reader) == 1
        with Measurements(path) as successor:
            successor.slot.record(successor.slot.add(KEY), 0.01)
            assert counted(reader) == 2
        assert counted(reader) == 2


def test_a_worker_killed_between_two_stores_of_a_series_holds_no_reader_up(path: Path) -> None:
    worker = Measurements(path)
    at = worker.slot.add(KEY)
    worker.slot.record(at, 0.01)
    worker.slot.words[at] += 1  # odd for ever
    worker.slot.words[Field.PAGE_SEQ] += 1
    worker.close()
    with Measurements(path) as reader:
        assert counted(reader) == 1
        with Measurements(path) as successor:
            successor.slot.record(successor.slot.add(KEY), 0.01)
            assert counted(reader) == 2


def test_a_forked_child_measures_in_a_slot_of_its_own(path: Path) -> None:
    with Measurements(path) as parent:
        parent.slot.record(parent.slot.add(KEY), 0.01)
        pid = os.fork()
        if not pid:
            try:
                parent.slot.record(parent.slot.add(KEY), 0.01)
                os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        assert counted(parent) == 2
        assert [worker.pid for worker in parent.read().workers] == [os.getpid()]


def test_series_are_bounded_and_what_is_beyond_is_counted_as_other() -> None:
    region = Region(memoryview(bytearray(REGION_BYTES)))
    for number in range(1000):
        region.record(region.add(Key(HTTP, "GET", "2xx", f"/{number}")), 0.01)
    tallies = region.tallies()
    assert sum(tally.latency().count for tally in tallies.values()) == 1000
    assert len(tallies) < 400
    assert tallies[Key(HTTP, "other", "2xx", "other")].latency().count > 600


def test_a_long_route_stays_apart_from_one_that_begins_alike() -> None:
    region = Region(memoryview(bytearray(REGION_BYTES)))
    for end in "ab":
        region.record(region.add(Key(HTTP, "GET", "2xx", "/" + "ç" * 300 + end)), 0.01)
    assert len(region.tallies()) == 2


def test_without_a_slot_a_process_measures_for_itself(path: Path, caplog) -> None:
    taken = [Measurements(path) for _ in range(5)]
    for each in taken:
        each.slot.record(each.slot.add(KEY), 0.01)
    assert "measures for itself" in caplog.text
    for each in taken:
        each.close()


def test_a_file_that_is_none_of_ours_is_refused_and_the_environment_does_without(tmp_path: Path, monkeypatch) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"something else that is long enough")
    other.chmod(0o600)
    with pytest.raises(MeasurementsError, match="no file of this version"):
        Measurements(other)
    monkeypatch.setenv(MEASUREMENTS, str(other))
    assert not Measurements.of_environment().shared
