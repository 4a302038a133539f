"""The history is bounded, time-weighted and truthful about what nobody saw, and survives what happens to files."""

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from esteio.health import HistoryReader
from esteio.health._history import History, Observation
from esteio.health._history_file import packed
from esteio.health.series import State, availability, shares

BEGIN = 1_800_000_000.0 // 86_400 * 86_400  # a midnight


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "health.sqlite"


def stand(history: History, at: float, state: State, reason: str = "") -> bool:
    return history.observe(Observation(BEGIN + at, {}, {"db": (state, reason)}))


def spans(path: Path, since: float, now: float) -> list[tuple[str, float, float]]:
    found = HistoryReader(path).intervals(BEGIN + since, BEGIN + now).get("db", [])
    return [(interval.state.value, interval.since - BEGIN, interval.until - BEGIN) for interval in found]


def test_states_are_intervals_and_the_time_between_two_observations_too_far_apart_is_unknown(path: Path) -> None:
    history = History(path, gap=60)
    for at, state in ((0, State.UP), (30, State.UP), (60, State.DOWN), (90, State.UP), (500, State.UP)):
        assert stand(history, at, state)
    assert spans(path, 0, 520) == [("up", 0, 60), ("down", 60, 90), ("unknown", 90, 500), ("up", 500, 520)]
    assert spans(path, -50, 0)[:1] == [("unknown", -50, 0)]
    assert spans(path, 70, 900)[-1] == ("unknown", 500, 900), "an old answer is no answer"
    intervals = HistoryReader(path).intervals(BEGIN, BEGIN + 520)["db"]
    assert shares(intervals)[State.UNKNOWN] == 410
    assert availability(intervals) == pytest.approx(80 / 110), "unknown time is neither up nor down"
    assert availability([]) is None


def test_maintenance_is_no_downtime_and_a_clock_set_back_makes_no_time(path: Path) -> None:
    history = History(path, gap=4000)
    for at, state in ((0, State.UP), (50, State.MAINTENANCE), (3600, State.UP), (0, State.UP), (3610, State.UP)):
        assert stand(history, at, state)
    assert spans(path, 0, 3610) == [("up", 0, 50), ("maintenance", 50, 3600), ("up", 3600, 3610)]
    assert availability(HistoryReader(path).intervals(BEGIN, BEGIN + 3610)["db"]) == 1.0


def test_values_become_minutes_five_minutes_and_days(path: Path) -> None:
    history = History(path)
    for minute in range(11):
        for value in (minute, minute + 10.0):
            assert history.observe(Observation(BEGIN + minute * 60 + value, {"ms": value, "bad": float("nan")}))
    reader = HistoryReader(path)
    minutes = reader.minutes(BEGIN)
    assert set(minutes) == {"ms"}
    assert [(p.average, p.greatest) for p in minutes["ms"][:2]] == [(5.0, 10.0), (6.0, 11.0)]
    assert [(p.at - BEGIN, p.average, p.greatest) for p in reader.five_minutes("ms", BEGIN)] == [
        (0, pytest.approx(7.0, rel=0.001), pytest.approx(14.0, rel=0.001)),
        (300, pytest.approx(12.0, rel=0.001), pytest.approx(19.0, rel=0.001)),
    ]  # fmt: skip
    assert [(p.at, p.average, p.greatest) for p in reader.days("ms")] == [
        (BEGIN, pytest.approx(9.5, rel=0.001), pytest.approx(19.0, rel=0.001))
    ]


@pytest.mark.fault
@pytest.mark.untimed
def test_a_writer_that_is_killed_loses_nothing_it_has_written(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from esteio.health._history import *\n"
        "from esteio.health.series import State\n"
        "h = History(Path(sys.argv[1]))\n"
        f"for n in range(50): h.observe(Observation({BEGIN} + n, {{'ms': 1.0}}, {{'db': (State.UP, '')}}))\n"
        "os.kill(os.getpid(), 9)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment, timeout=100, check=False)
    assert spans(path, 0, 49) == [("up", 0, 49)]
    history = History(path)
    assert stand(history, 50, State.UP)
    assert spans(path, 0, 50) == [("up", 0, 50)]


def test_while_the_disk_is_full_observations_wait(path: Path) -> None:
    history = History(path)
    assert stand(history, 0, State.UP)
    opened = history._connection
    assert opened is not None
    (pages,) = opened.execute("pragma page_count").fetchone()
    opened.execute(f"pragma max_page_count = {pages}")
    values = {f"series{number}": 1.0 for number in range(400)}
    assert not history.observe(Observation(BEGIN + 5, values, {"db": (State.DOWN, "disk full")}))
    assert spans(path, 0, 5) == [("up", 0, 5)]
    assert stand(history, 10, State.UP), "a new connection has no such limit: there is room again"
    assert spans(path, 0, 10) == [("up", 0, 5), ("down", 5, 10)]


def test_a_locked_file_makes_observations_wait_and_no_reader_raises(path: Path) -> None:
    history = History(path)
    assert stand(history, 0, State.UP)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    history._connection.execute("pragma busy_timeout = 10")  # type: ignore[union-attr]
    assert not stand(history, 5, State.UP)
    assert spans(path, 0, 5) == [("up", 0, 5)]
    other.execute("rollback")
    assert stand(history, 10, State.UP)
    other.close()


@pytest.mark.parametrize("damage", ["zeros in the middle", "no database", "another program's"])
def test_a_damaged_file_is_set_aside_and_begun_anew(path: Path, damage: str, caplog) -> None:
    history = History(path)
    for at in range(0, 600, 60):
        history.observe(Observation(BEGIN + at, {f"s{n}": 1.0 for n in range(50)}, {"db": (State.UP, "")}))
    history.close()
    if damage == "another program's":
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("create table theirs (x)")
        other.close()
    else:
        whole = path.read_bytes()
        path.write_bytes(b"x" * 5000 if damage == "no database" else whole[:4096] + bytes(8192) + whole[12288:])
    assert HistoryReader(path).intervals(BEGIN, BEGIN + 1) is not None
    assert stand(history, 700, State.UP)
    assert spans(path, 700, 701) == [("up", 700, 701)]
    assert path.with_name("health.sqlite.damaged").exists()
    assert "set aside" in caplog.text


def test_a_deleted_file_is_begun_anew(path: Path) -> None:
    history = History(path)
    assert stand(history, 0, State.UP)
    for each in path.parent.iterdir():
        each.unlink()
    assert stand(history, 5, State.UP)
    assert spans(path, 5, 6) == [("up", 5, 6)]
    path.parent.joinpath("gone").mkdir()
    assert not History(path.parent / "nowhere" / "x").observe(Observation(BEGIN))


def test_ten_checks_over_ninety_days_take_less_than_three_megabytes(path: Path) -> None:
    history, chance = History(path), random.Random(5)
    names = [f"check {number}" for number in range(10)]
    blocks = [[chance.lognormvariate(2, 0.5) for _ in range(576)] for _ in range(50)]
    stand(history, 0, State.UP)
    connection = history._connection
    assert connection is not None
    with connection:  # as it would be written, day by day: 90 days of observations take too long for a test
        for name in names:
            number = history._series(connection, name)
            for day in range(90):
                block = blocks[chance.randrange(len(blocks))]
                row = [number, BEGIN + day * 86400, packed(block)]
                connection.execute("insert into five_minutes values (?, ?, ?)", row)
                connection.execute("insert into day values (?, ?, 1.5, 2.5)", [number, BEGIN + day * 86400])
            minutes = [(number, BEGIN + minute * 60, chance.random(), chance.random()) for minute in range(2880)]
            connection.executemany("insert into minute values (?, ?, 1, ?, ?)", minutes)
            states = [(number, BEGIN + n * 500, BEGIN + n * 500 + 499) for n in range(100)]
            connection.executemany("insert into state values (?, ?, ?, 'down', 'no answer within 1 s')", states)
    connection.execute("pragma wal_checkpoint(truncate)")
    assert path.stat().st_size < 3_000_000


def test_a_check_that_flaps_keeps_its_newest_changes(path: Path) -> None:
    history = History(path)
    states = (State.UP, State.DOWN)
    history._pending.extend(Observation(BEGIN + at, {}, {"db": (states[at % 2], "")}) for at in range(1000))
    stand(history, 1000, State.UP)
    history._pruned_at = 0
    with sqlite3.connect(path) as connection:
        connection.execute(
            "insert into state with recursive n(x) as (select 2000 union all select x + 1 from n where x < 5000)"
            f" select 1, {BEGIN} + x, {BEGIN} + x, 'up', '' from n"
        )
    connection.close()
    stand(history, 5001, State.DOWN)
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*), max(since) from state").fetchone() == (2_000, BEGIN + 5001)
    connection.close()
