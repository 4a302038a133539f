"""Who may change what is in a store: one of all machines that ask it, and after its death another."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from s3_server import Misbehaving, endpoint
from typer.testing import CliRunner

from esteio.alert._lock import claimed
from esteio.backup import Backups, LeaseHeld, LeaseLost, LockRefused
from esteio.backup._lease import Leases, StoreLease, WriteLock
from esteio.backup._lock import Lock
from esteio.backup.store import Store, StoreUnavailable, open_store
from esteio.cli._backup import backup_commands
from esteio.cli.environment import backups_of
from esteio.clock import SYSTEM, Clock
from esteio.postgres import Dsn
from esteio.testing import ManualClock

WORKING = """
import sys, time
from esteio.backup._lease import Leases, WriteLock
from esteio.backup._lock import Lock
from esteio.backup.store import open_store
from pathlib import Path
with WriteLock(Lock(Path(sys.argv[2])), Leases([open_store(sys.argv[1])])):
    print("at work", flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "directory":
        (tmp_path / "share").mkdir()
        return open_store(str(tmp_path / "share"))
    s3: Misbehaving = request.getfixturevalue("s3")
    return open_store(f"s3://bucket/folder?region=us-east-1&endpoint={endpoint(s3.port)}")


def leases(store: Store, clock: Clock = SYSTEM, term: float = 60.0) -> Leases:
    return Leases([store], clock=clock, term=term)


def newest(store: Store) -> StoreLease:
    (found,) = Leases([store]).look().values()
    return found


def test_of_many_who_ask_at_the_same_moment_one_has_it(store: Store) -> None:
    asking = [leases(store) for _ in range(6)]
    ready, took, refused = threading.Barrier(len(asking)), [], []

    def ask(each: Leases) -> None:
        ready.wait()
        try:
            each.take()
        except LeaseHeld as error:
            refused.append(error)
        else:
            took.append(each)

    for _round in (1, 2):
        threads = [threading.Thread(target=ask, args=(each,)) for each in asking]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(took) <= 1
        if not took:  # two were in each other's way: both gave it back, and come again
            asking[0].take()
            took.append(asking[0])
        (winner,) = took
        assert (newest(store).holder, newest(store).pid) == (winner.holder, os.getpid())
        assert all(error.store == store.name and error.exit_code == 75 for error in refused)
        winner.require()
        winner.release()
        assert Leases([store]).look() == {}
        took.clear()
    assert len(store.list("lock")) <= 2  # those of the past are removed by the next who takes it


def test_it_is_renewed_while_its_holder_works_and_taken_over_after_a_term_without(store: Store) -> None:
    first = leases(store, term=0.4)
    first.take()
    before, deadline = newest(store).expires, time.monotonic() + 30
    while newest(store).expires == before:
        assert time.monotonic() < deadline, "it was not renewed"
        time.sleep(0.01)
    first._ending.set()  # as if the process stood still: nobody renews it any more
    for thread in first._threads:
        thread.join()
    clock = ManualClock(time=datetime.fromisoformat(newest(store).expires).timestamp() - 0.1)
    second = Leases([store], clock=clock, term=60.0)
    with pytest.raises(
        LeaseHeld, match=r"process \d+ on .* has been at work there since .*`backup unlock` does at once"
    ):
        second.take()  # by its own words it is good for another moment
    clock.advance(0.2)
    second.take()
    assert sum(clock.slept) == pytest.approx(60.0)
    second.require()
    with pytest.raises(LeaseLost, match="took the lease"):
        first.require()
    first.release()  # which touches nothing of the second's
    assert newest(store).holder == second.holder
    second.release()


def test_a_holder_whose_clock_is_behind_keeps_it_as_long_as_it_renews(store: Store) -> None:
    alive = leases(store, ManualClock(time=1_000_000.0), term=0.4)
    alive.take()
    with pytest.raises(LeaseHeld):  # expired for decades by our clock, and still its object changes
        leases(store, SYSTEM, term=6.0).take()
    alive.release()


def test_a_killed_holder_is_replaced_at_once_on_its_host_and_after_a_term_elsewhere(tmp_path: Path) -> None:
    place, lock = tmp_path / "share", tmp_path / "lock"
    place.mkdir()
    store = open_store(str(place))
    with subprocess.Popen([sys.executable, "-c", WORKING, str(place), str(lock)], stdout=subprocess.PIPE) as working:
        assert working.stdout is not None
        assert working.stdout.readline() == b"at work\n"
        with (
            pytest.raises(LeaseHeld, match=f"process {working.pid}"),
            WriteLock(Lock(tmp_path / "of another host"), leases(store)),
        ):
            pass
        working.kill()
    with pytest.raises(LeaseHeld), WriteLock(Lock(tmp_path / "of another host"), leases(store)):
        pass
    with WriteLock(Lock(lock), leases(store)) as held:
        held.require()
        assert lock.read_text().split() == [str(os.getpid()), newest(store).holder]


def test_a_stopped_run_finds_out_before_its_manifest_that_it_was_replaced(database: Dsn, tmp_path: Path) -> None:
    """SIGSTOP or a frozen virtual machine for longer than a term: another took over meanwhile."""
    from esteio.backup.store import Stores

    def backups(own: str) -> Backups:
        return Backups(database, Stores([open_store(str(tmp_path / own)), open_store(str(tmp_path / "share"))]))

    one, other = backups("one"), backups("other")
    one.init()
    other.init()
    one.run(verify=False)
    share = tmp_path / "share"
    before = {path.name for path in share.iterdir()}
    refused: list[Exception] = []

    def meanwhile(phase: str, *_about: Any) -> None:
        if not refused:
            for call in (other.run, other.prune):
                with pytest.raises(LeaseHeld, match=rf"process {os.getpid()} on"):
                    call()
                refused.append(LeaseHeld("", host="", pid=0, since="", expires=""))
            assert set(other.leases()) == {str(share)}
            assert set(other.unlock()) == {str(share)}

    with pytest.raises(LeaseLost, match=str(share)):
        one.run(meanwhile)
    assert {path.name for path in share.iterdir()} == before
    assert other.unlock() == {}
    assert len(other.run(verify=False).stores) == 2


def test_a_late_write_of_an_old_generation_counts_for_nothing(store: Store) -> None:
    """Of three who saw generation 1, the third writes 2 when 2 was given back, taken as 3, and cleaned up."""
    late, quick, last = leases(store), leases(store), leases(store)
    late.take()
    late.release()
    seen = json.loads(_content(store, store.list("lock")[0].key))
    quick.take()
    quick.release()
    last.take()
    with pytest.raises(LeaseHeld):
        late._take_one(store, StoreLease(**seen))
    last.require()
    last.release()


def _content(store: Store, key: str) -> bytes:
    with store.get(key) as source:
        return source.read()


def test_a_store_that_does_not_answer_has_no_lease_and_one_without_conditions_decides_by_its_content(
    s3: Misbehaving, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    far = open_store(f"s3://bucket/folder?region=us-east-1&endpoint={endpoint(s3.port)}")
    near = open_store(str(tmp_path))
    s3.before = lambda environ: ("403 Forbidden", "AccessDenied")
    both = Leases([far, near])
    both.take()
    assert set(both.look()) == {near.name}
    assert f"nothing is written or removed in {far.name} now" in caplog.text
    assert (set(both.lacking), both.alone) == ({far.name}, True)
    both.require()
    both.release()

    def older(environ: dict[str, Any]) -> tuple[str, str] | None:
        return ("501 Not Implemented", "NotImplemented") if "HTTP_IF_NONE_MATCH" in environ else None

    s3.before = older
    both.take()
    assert set(both.look()) == {near.name, far.name}
    with pytest.raises(LeaseHeld):
        Leases([far]).take()
    both.release()
    s3.before = lambda environ: ("503 Slow Down", "SlowDown") if "HTTP_IF_NONE_MATCH" in environ else None
    with pytest.raises(StoreUnavailable):
        far.create("lock/x.json", b"1")  # type: ignore[attr-defined]


def test_a_store_whose_lease_cannot_be_had_is_not_touched_though_it_answers_a_moment_later(
    database: Dsn, s3: Misbehaving, tmp_path: Path
) -> None:
    """Else two machines could write there at once, each without the other knowing."""
    from esteio.backup.store import Stores

    far = open_store(f"s3://bucket/folder?region=us-east-1&endpoint={endpoint(s3.port)}")
    backups = Backups(database, Stores([open_store(str(tmp_path / "near")), far]))
    backups.init()
    before = [stored.key for stored in far.list()]
    s3.before = lambda environ: ("403 Forbidden", "AccessDenied") if "lock" in str(environ) else None
    done = backups.run(verify=False)
    assert (done.stores, [str(each.fields["store"]) for each in done.lacking]) == (
        (str(tmp_path / "near"),),
        [far.name],
    )
    s3.before = None
    assert [stored.key for stored in far.list() if not stored.key.startswith("lock/")] == before
    assert len(backups.copy().files) == len(done.manifest.parts) + 1  # with its lease it is written again


def test_unlock_says_who_works_asks_and_frees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "share"
    monkeypatch.setenv("BACKUP_DIR", str(place))
    app = backup_commands(lambda database: backups_of(os.environ, database=database))

    def unlock(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["unlock", *more])
        return done.exit_code, done.stdout

    assert CliRunner().invoke(app, ["init"]).exit_code == 0
    assert unlock() == (0, "Nobody is at work in any store.\n")
    held = leases(open_store(str(place)))
    held.take()
    code, said = unlock()
    assert (code, f"process {os.getpid()} on " in said) == (1, True)
    assert unlock("--yes")[1].endswith("share is free.\n")
    assert unlock() == (0, "Nobody is at work in any store.\n")
    with pytest.raises(LeaseLost):
        held.require()
    held.release()


def test_where_no_file_can_be_locked_backups_refuse_and_notices_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share without locks answers ENOLCK."""

    def refused(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(LockRefused, match=r"lock .*/lock: No locks available"), Lock(tmp_path / "lock"):
        pass
    with claimed(tmp_path / "lock", 0.0, SYSTEM) as ours:
        assert ours
