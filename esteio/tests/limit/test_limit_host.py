"""One file for all workers of a host: the same decisions, private, checked, bounded."""

import os
import stat
import sys
import threading
import time
from pathlib import Path
from struct import pack_into

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traffic import NAMES, small, traffic

from esteio.limit import (
    Hit,
    HostStore,
    HostStoreError,
    Limit,
    LimitError,
    LimitsDegraded,
    LimitsRestored,
    MemoryStore,
    RateLimiter,
    SyncRateLimiter,
)
from esteio.limit.host import _layout, _store
from esteio.limit.host._layout import HEADER_BYTES, SET_BYTES, WAYS, Header
from esteio.testing import ManualClock, recorded_events

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="locks of open files are Linux'")
FIVE = Limit(5, 60, name="five")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits"


# -- decisions


@given(small, traffic, st.lists(st.sampled_from("abc"), min_size=60, max_size=60))
def test_it_decides_as_the_store_in_memory(limit: Limit, hits: list[tuple[int, int]], keys: list[str]) -> None:
    clock = ManualClock(100)
    memory = MemoryStore(clock=clock)
    with HostStore.create(HostStore.place(f"test-{os.getpid()}"), keys=8, clock=clock) as store:
        for (gap, cost), key in zip(hits, keys, strict=False):
            clock.advance(gap / 1e6)
            assert store.hit_now(key, limit, cost) == memory.hit_now(key, limit, cost)
            group = [Hit("a", limit), Hit(key, limit), Hit("b", limit, 2)]
            assert store.decide_now(group, charge=False) == memory.decide_now(group, charge=False)
            if cost == 2:
                assert store.decide_now(group, charge=True) == memory.decide_now(group, charge=True)
                store.refund_now(key, limit, 3)
                memory.refund_now(key, limit, 3)
            if cost == 3:
                store.reset_now(key, limit)
                memory.reset_now(key, limit)


async def test_both_limiters_work_with_it(path: Path) -> None:
    with HostStore.create(path) as store:
        assert (await RateLimiter(store).hit("key", FIVE)).remaining == 4
        assert SyncRateLimiter(store).hit("key", FIVE).remaining == 3


def test_two_stores_of_one_file_count_together(path: Path) -> None:
    with HostStore.create(path) as one, HostStore(path) as two:
        decisions = [store.hit_now("key", FIVE).allowed for store in (one, two) * 4]
    assert decisions == [True] * 5 + [False] * 3


@pytest.mark.parametrize("name", NAMES)
def test_the_longest_state_fits(path: Path, name: str) -> None:
    clock = ManualClock(100)
    limit = Limit(100_000, 1, algorithm=name)  # type: ignore[arg-type]
    with HostStore.create(path, clock=clock) as store:
        for number in range(300):
            assert store.hit_now("key", limit).allowed, number
            clock.advance(0.01)


@pytest.mark.parametrize("key", ["日本語", "\ud800", "k" * 10_240])
def test_any_text_is_a_key(path: Path, key: str) -> None:
    with HostStore.create(path) as store:
        assert [store.hit_now(key, FIVE).remaining for _ in range(2)] == [4, 3]


def test_threads_together_get_exactly_the_limit(path: Path) -> None:
    limit = Limit(200, 3_600)
    with HostStore.create(path, patience=10) as store, HostStore(path, patience=10) as other:
        passed = []

        def work(which: HostStore) -> None:
            passed.append(sum(which.hit_now("key", limit).allowed for _ in range(100)))

        threads = [threading.Thread(target=work, args=[which]) for which in (store, other) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(passed) == 200


# -- bounds


def test_a_full_set_drops_the_stale_first_and_else_the_soonest_to_be(path: Path) -> None:
    clock = ManualClock(100)
    with HostStore.create(path, keys=WAYS, clock=clock) as store:  # one set
        for number in range(WAYS - 1):
            store.hit_now(f"long {number}", FIVE)
        store.hit_now("short", Limit(5, 10))
        store.hit_now("in its place", Limit(5, 20))
        clock.advance(21)
        store.hit_now("in its place too", FIVE)
        for number in range(WAYS - 1):
            assert store.hit_now(f"long {number}", FIVE).remaining == 3


def test_many_keys_take_no_more_than_the_file(path: Path) -> None:
    with HostStore.create(path, keys=64) as store:
        size = path.stat().st_size
        for number in range(5_000):
            assert store.hit_now(str(number), FIVE).allowed
        assert path.stat().st_size == size == HEADER_BYTES + 8 * SET_BYTES


def test_which_keys_meet_in_a_set_is_another_secret_in_each_file(tmp_path: Path) -> None:
    places = []
    for name in ("a", "b"):
        with HostStore.create(tmp_path / name, keys=10_000) as store:
            places.append([store._place(Hit(str(n), FIVE))[0] for n in range(20)])
    assert places[0] != places[1]


# -- the file


def test_it_is_private_and_gone_with_its_maker(path: Path) -> None:
    with HostStore.create(path) as store:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        HostStore(path).close()
        assert path.exists()
        store.hit_now("key", FIVE)
    assert not path.exists()
    assert list(path.parent.iterdir()) == []
    store.close()


def test_its_space_is_taken_when_it_is_made(path: Path) -> None:
    with HostStore.create(path):
        assert path.stat().st_blocks * 512 >= path.stat().st_size


def test_a_file_made_anew_has_forgotten_all(path: Path) -> None:
    with HostStore.create(path) as old:
        old.hit_now("key", FIVE)
        with HostStore.create(path) as new:
            assert new.hit_now("key", FIVE).remaining == 4
        assert old.hit_now("key", FIVE).remaining == 3


def damaged(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "another version":
        path.write_bytes(b"ESTEIOL0" + path.read_bytes()[8:])
    elif how == "cut":
        os.truncate(path, HEADER_BYTES + 5)
    elif how == "empty":
        os.truncate(path, 0)
    elif how == "longer":
        os.truncate(path, path.stat().st_size + 1)
    elif how == "no sets":
        path.write_bytes(Header(0, 2, bytes(16)).pack())
    elif how == "open to others":
        path.chmod(0o644)
    elif how == "a link":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
    elif how == "a directory":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("missing", "No such file"),
        ("another version", "no file of this version"),
        ("cut", "it has 4101 bytes and should have"),
        ("empty", "no file of this version"),
        ("longer", "bytes and should have"),
        ("no sets", "bytes and should have"),
        ("open to others", "mode 644"),
        ("a link", "symbolic links"),
        ("a directory", "directory"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(path: Path, how: str, cause: str) -> None:
    with HostStore.create(path, keys=8):
        damaged(path, how)
        with pytest.raises(HostStoreError, match=cause) as caught:
            HostStore(path)
        assert str(path) in str(caught.value)
        assert "HostStore.create" in caught.value.remedy
        if path.is_dir():
            path.rmdir()


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostStoreError, match="No such file or directory; it needs 18 MiB"):
        HostStore.create(tmp_path / "nowhere" / "limits")


@pytest.mark.parametrize(("field", "value"), [("keys", 0), ("keys", True), ("workers", 0), ("patience", -1)])
def test_a_setting_that_can_not_be_is_refused(path: Path, field: str, value: object) -> None:
    with pytest.raises(LimitError, match=field):
        HostStore.create(path, **{field: value})  # type: ignore[arg-type]


def test_a_closed_store_says_so(path: Path) -> None:
    store = HostStore.create(path)
    store.close()
    with pytest.raises(HostStoreError, match="was closed"):
        store.hit_now("key", FIVE)


def test_a_place_is_chosen_that_can_be_written() -> None:
    assert os.access(HostStore.place("test").parent, os.W_OK)


class Killed(BaseException):
    """Stands for SIGKILL at this very instruction."""


@pytest.mark.parametrize("written", range(6))
def test_a_writer_killed_at_any_instant_leaves_what_was_there(written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = _layout.Table(memoryview(bytearray(HEADER_BYTES + SET_BYTES)))
    keys = [bytes([n]) * 16 for n in range(WAYS + 1)]
    before: list[tuple[int, ...]] = [(n, 2, 3, 4, 5) for n in range(WAYS)]
    for digest, state in zip(keys, before, strict=False):
        table.write((0, digest), state, 1_000, 10)

    def part(form: str, buffer: memoryview, at: int, *numbers: int) -> None:
        pack_into(f"<{written}q", buffer, at, *numbers[:written])
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(_layout, "pack_into", part)
        for digest in (keys[3], keys[WAYS]):  # one that is there, and one that is new
            with pytest.raises(Killed):
                table.write((0, digest), (9, 9, 9, 9, 9), 1_000, 10)
    assert [table.read((0, digest)) for digest in keys] == [*before, ()]
    table.write((0, keys[3]), (7,), 1_000, 10)
    assert table.read((0, keys[3])) == (7,)


@pytest.mark.parametrize("name", ["", "../other", "a b", "a" * 65, None])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(LimitError, match="name="):
        HostStore.place(name)


def test_a_child_that_can_not_open_the_file_anew_refuses_to_count(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_descriptor: int) -> int:
        raise FileNotFoundError

    with HostStore.create(path) as store:
        monkeypatch.setattr(_store, "open_again", fails)

        def work() -> int:
            with pytest.raises(HostStoreError):
                store.hit_now("key", FIVE)
            return 7

        assert in_child(work) == 7


def test_a_state_that_makes_no_sense_counts_as_none(path: Path) -> None:
    with HostStore.create(path, keys=8) as store:
        store.hit_now("key", FIVE)
        with path.open("r+b") as file:
            file.seek(HEADER_BYTES)
            word = int.from_bytes(file.read(8), "little")
            slot = (SET_BYTES - 8) // (WAYS + 1) // 8 * 8
            file.seek(HEADER_BYTES + 8 + (word.bit_length() - 1) * slot + 24)
            file.write((1 << 40).to_bytes(8, "little"))
        assert store.hit_now("key", FIVE).remaining == 4
        with path.open("r+b") as file:
            file.seek(HEADER_BYTES)
            file.write(b"\xff" * 8)
        store.hit_now("key", FIVE)
        assert store._table._words[HEADER_BYTES // 8].bit_count() <= WAYS + 1


# -- locks that are held too long


def decided_while_held(path: Path, limit: Limit, times: int = 1) -> list[tuple[bool, bool, int, float | None]]:
    """What a worker says while another one holds the lock: allowed, degraded, remaining, retry_after."""
    with HostStore.create(path, workers=2, patience=0.01) as store, HostStore(path) as holder:
        numbers = [holder._place(Hit("key", limit))[0]]
        assert holder._locks.acquire(numbers)
        said = [store.hit_now("key", limit) for _ in range(times)]
        holder._locks.release(numbers)
        assert not store.hit_now("key", limit).degraded
    assert all(each.limit is limit for each in said)
    return [(each.allowed, each.degraded, each.remaining, each.retry_after) for each in said]


def test_a_worker_goes_on_with_its_share(path: Path) -> None:
    said = decided_while_held(path, Limit(5, 60), 4)
    assert [each[:3] for each in said] == [(True, True, 1), (True, True, 0), (False, True, 0), (False, True, 0)]


def test_a_cost_above_the_share_is_asked_again_soon(path: Path) -> None:
    limit = Limit(5, 60)
    with HostStore.create(path, patience=0) as store, HostStore(path) as holder:
        holder._locks.acquire([holder._place(Hit("key", limit))[0]])
        assert store.hit_now("key", limit, 4).retry_after == 1.0
        assert store.hit_now("key", limit, 6).impossible


def test_closed_denies_and_open_lets_pass(path: Path) -> None:
    assert decided_while_held(path, Limit(5, 60, on_failure="closed")) == [(False, True, 0, 1.0)]
    assert decided_while_held(path, Limit(5, 60, on_failure="open")) == [(True, True, 4, 0.0)]


def test_a_group_with_one_closed_limit_charges_nothing(path: Path) -> None:
    closed = Limit(5, 60, on_failure="closed")
    with HostStore.create(path, workers=1, patience=0) as store, HostStore(path) as holder:
        holder._locks.acquire([holder._place(Hit("key", closed))[0]])
        for _ in range(9):
            decisions = store.decide_now([Hit("key", closed), Hit("key", FIVE)], charge=True)
            assert [each.allowed for each in decisions] == [False, True]
            assert all(each.degraded for each in decisions)


def test_it_is_waited_for_once_and_told(path: Path) -> None:
    with HostStore.create(path, patience=0.2) as store, HostStore(path) as holder, recorded_events() as events:
        numbers = [holder._place(Hit("key", FIVE))[0]]
        holder._locks.acquire(numbers)
        began = time.monotonic()
        for _ in range(100):
            store.hit_now("key", Limit(1_000, 60, name="five"))
        assert 0.2 <= time.monotonic() - began < 10  # once, and not a hundred times
        holder._locks.release(numbers)
        store.hit_now("key", FIVE)
    assert [type(each) for each in events] == [LimitsDegraded, LimitsRestored]


def test_other_keys_are_decided_as_always(path: Path) -> None:
    with HostStore.create(path, patience=0) as store, HostStore(path) as holder:
        (number, _), other = holder._place(Hit("key", FIVE)), "other"
        while holder._place(Hit(other, FIVE))[0] == number:
            other += "!"
        holder._locks.acquire([number])
        assert store.hit_now("key", FIVE).degraded
        assert not store.hit_now(other, FIVE).degraded
        assert store.decide_now([Hit("key", FIVE), Hit(other, FIVE)], charge=True)[1].degraded
        assert store.hit_now(other, FIVE).remaining == 3  # the group took its lock and gave it back


def test_a_reset_that_can_not_be_done_is_an_error(path: Path) -> None:
    with HostStore.create(path, patience=0) as store, HostStore(path) as holder:
        store.hit_now("key", FIVE)
        numbers = [holder._place(Hit("key", FIVE))[0]]
        holder._locks.acquire(numbers)
        store.refund_now("key", FIVE)
        with pytest.raises(HostStoreError, match="stands still; try again"):
            store.reset_now("key", FIVE)
        holder._locks.release(numbers)
        assert store.hit_now("key", FIVE).remaining == 3


# -- forks


def in_child(work: object) -> int:
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()  # type: ignore[operator]
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_counts_with_its_parent_and_removes_nothing(path: Path) -> None:
    with HostStore.create(path) as store:

        def work() -> int:
            remaining = store.hit_now("key", FIVE).remaining
            store.close()
            return remaining

        assert [in_child(work) for _ in range(3)] == [4, 3, 2]
        assert store.hit_now("key", FIVE).remaining == 1
        assert path.exists()


def test_a_forked_child_does_not_share_its_parents_locks(path: Path) -> None:
    with HostStore.create(path, patience=0) as store:
        numbers = [store._place(Hit("key", FIVE))[0]]
        store._locks.acquire(numbers)
        path.unlink()  # the child finds the file without its name
        assert in_child(lambda: int(store.hit_now("key", FIVE).degraded)) == 1
        store._locks.release(numbers)
        assert in_child(lambda: int(store.hit_now("key", FIVE).degraded)) == 0


def test_a_child_forked_while_a_thread_decides_can_decide(path: Path) -> None:
    with HostStore.create(path) as store, store._threads:
        assert in_child(lambda: store.hit_now("key", FIVE).remaining) == 4
