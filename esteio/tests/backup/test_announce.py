"""Readers and removers of several machines: nothing is removed from a store while somebody reads it, wherever."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from s3_server import Misbehaving, endpoint
from trial_database import same_set

from esteio.backup import Backups, Retention, StoreInUse
from esteio.backup._announce import Announcement, Side
from esteio.backup._marker import marked
from esteio.backup.store import Store, Stores, open_store
from esteio.postgres import Dsn
from esteio.testing import ManualClock


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "directory":
        (tmp_path / "share").mkdir()
        return open_store(str(tmp_path / "share"))
    s3: Misbehaving = request.getfixturevalue("s3")
    return open_store(f"s3://bucket/folder?region=us-east-1&endpoint={endpoint(s3.port)}")


def test_one_who_removes_gives_up_and_one_who_reads_waits(store: Store) -> None:
    refused = pytest.raises(StoreInUse, match=f"process {os.getpid()} on .* has been reading or removing")
    with Announcement([store], Side.READER), Announcement([store], Side.READER), refused:
        Announcement([store], Side.REMOVER).__enter__()
    clock, waited = ManualClock(), list[str]()
    with Announcement([store], Side.REMOVER) as removing:
        with pytest.raises(StoreInUse):
            Announcement([store], Side.READER, 5.0, lambda: waited.append("once"), clock=clock).__enter__()
        assert (sum(clock.slept), waited) == (5.0, ["once"])
        removing._withdraw()
        with Announcement([store], Side.READER):
            pass
    assert [each for each in store.list("lock") if "reader" in each.key or "remover" in each.key] == []


def sides_at_work(store: Store) -> set[Side]:
    """Who goes on of a reader and a remover that come at the same moment."""
    met, inside = threading.Barrier(2), set[Side]()

    def come(side: Side) -> None:
        met.wait()
        try:
            with Announcement([store], side):
                inside.add(side)
                met.wait(30)  # nobody leaves before both have decided
        except StoreInUse:
            met.wait(30)

    threads = [threading.Thread(target=come, args=(side,)) for side in Side]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return inside


def test_of_a_reader_and_a_remover_that_come_at_the_same_moment_never_both_go_on(store: Store) -> None:
    assert all(len(sides_at_work(store)) <= 1 for _ in range(8))


def test_the_times_of_the_store_decide_whether_one_lives(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    left = tmp_path / "lock/reader-left.json"
    store.put("lock/reader-left.json", b"{}")
    at = left.stat().st_mtime
    os.utime(left, (at - 30, at - 30))
    with pytest.raises(StoreInUse):
        Announcement([store], Side.REMOVER, clock=ManualClock(time=at + 1e9)).__enter__()
    os.utime(left, (at - 120, at - 120))
    with Announcement([store], Side.REMOVER, clock=ManualClock(time=at - 1e9)):
        assert not left.exists()


def test_it_is_renewed_while_its_block_lasts(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with Announcement([store], Side.READER, term=0.2):
        (stored,) = store.list("lock")
        renewed, looks = stored.modified, 0
        while renewed == stored.modified:
            looks += 1
            assert looks < 3000, "it was not renewed"
            threading.Event().wait(0.01)
            renewed = store.list("lock")[0].modified


def test_a_prune_on_another_machine_never_undercuts_a_restore(
    backups: Backups, folder: Path, database: Dsn, tmp_path: Path
) -> None:
    """The lock file of a machine says nothing to another one."""
    share = open_store(str(tmp_path / "cópias"))
    (tmp_path / "other").mkdir()
    same_set(folder, tmp_path / "other")
    other = Backups(
        database, Stores([open_store(str(tmp_path / "other")), share]), retention=Retention(days=1, verified=1)
    )
    refused: list[StoreInUse] = []

    def meanwhile(*_about: Any) -> None:
        if not refused:
            for call in (other.prune, lambda: other.delete(folder.name)):
                with pytest.raises(StoreInUse) as caught:
                    call()
                refused.append(caught.value)

    assert backups.restore_into("devolta", progress=meanwhile).rows > 0
    assert refused
    assert other.delete(folder.name).keep is False
    assert backups.entries() == []


def test_who_may_not_write_into_a_store_reads_all_the_same_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_only = marked(open_store(str(tmp_path)))  # without a marker
    with caplog.at_level(logging.WARNING, "esteio.backup"), Announcement([read_only], Side.READER):
        assert "a reader cannot be announced there" in caplog.text
