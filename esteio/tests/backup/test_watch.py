"""What lasts is told once, what comes and goes is not told each time, and a restart repeats nothing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.backup import AlreadyRunning, BackupRunEnded, Backups
from esteio.backup._lock import Lock
from esteio.backup.watch import AGAIN, COOLDOWN, BackupsGreen, BackupsRed, Memory, Watch, decide
from esteio.events import Event, subscribe
from esteio.postgres import DatabaseUnavailable
from esteio.testing import ManualClock, recorded_events

LOOK = 60.0
LOOKS = st.lists(st.sets(st.sampled_from(["velha", "furo no log", "disco cheio"])), max_size=120)


def told(looks: list[set[str]], begin: float = 1e9, memory: Memory | None = None) -> list[tuple[int, str, set[str]]]:
    """Each thing told: the number of the look, red or green, and the problems."""
    memory, found = memory or Memory(), []
    for number, problems in enumerate(looks):
        decision = decide(memory, sorted(problems), begin + LOOK * number)
        memory = decision.memory
        if decision.red:
            found.append((number, "red", set(decision.red)))
        if decision.green:
            found.append((number, "green", set()))
    return found


@given(LOOKS)
def test_red_is_told_only_of_what_two_looks_found_and_green_only_after_two_clear_ones(looks) -> None:
    red = False
    for number, colour, problems in told(looks):
        if colour == "red":
            assert problems
            assert problems <= looks[number] & looks[number - 1]
            assert number > 0
        else:
            assert red
            assert not looks[number] | looks[number - 1]
        red = colour == "red"


@given(LOOKS)
def test_who_listens_knows_in_the_end_what_is_the_case(looks) -> None:
    for last in ({"velha"}, set()):
        whole = looks + [last] * int(COOLDOWN / LOOK + 3)
        ends = [colour for _, colour, _ in told(whole)]
        assert (ends[-1:] == ["red"]) == bool(last)


@given(LOOKS)
def test_a_problem_is_the_reason_for_a_notice_at_most_once_an_hour(looks) -> None:
    reasons: dict[str, float] = {}
    memory = Memory()
    for number, problems in enumerate(looks):
        now = LOOK * number
        before = memory
        decision = decide(memory, sorted(problems), now)
        memory = decision.memory
        if decision.red:
            fresh = [each for each in decision.red if now - reasons.get(each, -1e9) >= COOLDOWN]
            assert fresh, before
            reasons |= dict.fromkeys(decision.red, now)


def test_what_lasts_is_told_again_after_a_day_and_something_new_at_once() -> None:
    looks = [{"velha"}] * int(AGAIN / LOOK + 10)
    assert [number for number, _, _ in told(looks)] == [1, 1 + int(AGAIN / LOOK)]
    looks[100] = looks[101] = {"velha", "disco cheio"}
    assert told(looks)[1] == (101, "red", {"velha", "disco cheio"})


def test_an_age_that_grows_or_a_file_that_changes_is_the_same_problem_and_another_sentence_is_not() -> None:
    looks = [{f"shipping failed: object 'wal/{number:024X}.zst' after {number}.5 s"} for number in range(20)]
    looks[10:] = [{f"the newest, city_2026010{number % 10}_020000, is {number} h old"} for number in range(10)]
    assert [number for number, _, _ in told(looks)] == [1, 11]


def test_a_clock_that_was_set_back_does_not_silence_it() -> None:
    late = decide(decide(Memory(), ["velha"], 2e9).memory, ["velha"], 2e9)
    assert late.red
    back = [{"velha"}] * int(AGAIN / LOOK + 3)
    assert told(back, 1e9, late.memory)


def test_a_restart_repeats_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    found: list[str] = []

    def restarted() -> Watch:
        return Watch("city", [lambda: tuple(found)], tmp_path / "watch.json", clock=clock)

    with recorded_events() as events:
        for problems in (["velha"], ["velha"], ["velha"], [], [], []):
            found[:] = problems
            restarted().look()
            clock.advance(LOOK)
    assert events == [BackupsRed("city", ("velha",)), BackupsGreen("city")]


def test_a_look_that_fails_is_a_problem_and_a_memory_that_is_no_memory_is_none(tmp_path: Path) -> None:
    def look() -> tuple[str, ...]:
        raise OSError("no such disk")

    (tmp_path / "watch.json").write_text('{"told": 3}')
    watch = Watch("city", [look, lambda: ["velha"]], tmp_path / "watch.json")
    with recorded_events() as events:
        found = watch.look()
        watch.look()
    assert found == ("it cannot be seen how the backups are: no such disk", "velha")
    assert events == [BackupsRed("city", found)]


def test_a_memory_that_cannot_be_written_does_not_stop_the_watch(tmp_path: Path) -> None:
    with recorded_events() as events:
        watch = Watch("city", [lambda: ["velha"]], tmp_path / "fort" / "watch.json")
        for _ in range(3):
            watch.look()
    assert len(events) == 1


def test_it_is_a_service(tmp_path: Path) -> None:
    watch = Watch("city", [lambda: ["velha"]], tmp_path / "watch.json", every=0.01)
    assert not watch.is_alive()
    watch.start()
    assert watch.is_alive()
    watch.stop(5.0)
    assert not watch.is_alive()
    watch.start()
    assert watch.is_alive()
    watch.stop(5.0)


def test_backups_that_do_not_exist_are_told(backups: Backups, tmp_path: Path) -> None:
    (tmp_path / "cópias").mkdir()
    watch = backups.watch(more=lambda: ("the log is not being received",))
    assert watch.look() == ("there is no backup", "the log is not being received")


# The end of a run


def ended(run) -> BackupRunEnded:
    """What is told at the end of `run`, whose lock has to be free then."""
    free = []

    def hook(event: Event) -> None:
        if isinstance(event, BackupRunEnded):
            with Lock(lock):
                free.append(event)

    lock = run.__self__._local.file("lock")
    end = subscribe(hook)
    try:
        with suppress(DatabaseUnavailable):
            run()
    finally:
        end()
    [event] = free
    return event


def test_the_end_of_a_run_is_told_once_when_its_lock_is_free(backups: Backups) -> None:
    event = ended(backups.run)
    assert event.name.startswith("backup_")
    assert (event.kind, event.database, event.error) == ("dump", backups.dsn.database, None)
    assert event.manifest.id == event.verification.backup == event.newest_verified == event.name
    assert event.stores == tuple(store.name for store in backups._stores.stores)
    assert event.missing == ()
    assert [decision.id for decision in event.decisions] == [event.name]
    assert 0 <= event.newest_verified_age < 60


def test_a_run_that_fails_tells_why_and_what_there_is_instead(backups: Backups) -> None:
    event = ended(Backups(backups.dsn.with_(database="nenhum"), backups.catalogue._stores, self_init=True).run)
    assert isinstance(event.error, DatabaseUnavailable)
    assert (event.manifest, event.newest_verified, event.database) == (None, None, "nenhum")


def test_a_run_that_is_refused_tells_so(backups: Backups) -> None:
    backups.init()
    with Lock(backups._local.file("lock")), recorded_events() as events, pytest.raises(AlreadyRunning):
        backups.run()
    assert [type(event.error) for event in events] == [AlreadyRunning]
    assert events[0].name == "backup"
