"""Base backups and log among the others: verified, kept apart, pruned, brought back."""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from test_physical_log import base, segment, wal
from trial_database import red

from esteio.backup import BackupDamaged, BackupNotFound, Backups, RestoreRefused, Retention, VerificationFailed
from esteio.backup._progress import silent
from esteio.backup.archive import Segment, Wal, WalArchive
from esteio.backup.archive._fetch import _Placing, place_log
from esteio.backup.base import NotPossible
from esteio.backup.cluster import swap
from esteio.backup.packing import Packing
from esteio.backup.restore import unneeded
from esteio.backup.store import AllStoresFailed, Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.clock import SystemClock
from esteio.postgres.embedded import Embedded
from esteio.testing.postgres import PostgresServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer(settings={"summarize_wal": "on"})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def backups(server: PostgresServer, home: Path) -> Backups:
    return Backups(server.dsn(), Stores([open_store(str(home / "disk"))]), scratch=home, self_init=True)


def test_a_base_and_an_incremental_are_tried_before_they_are_believed(
    backups: Backups, server: PostgresServer, home: Path
) -> None:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE read AS SELECT n, repeat('x', 9000) FROM generate_series(1, 1000) n")
    full = backups.run(kind="base")
    assert full.verification is not None
    assert full.verification.checked == (
        "sha256 of each file",
        "list of files",
        "restore",
        "every table read",
        "checksums",
    )
    assert full.verification.rows == 1000
    more = backups.run(kind="incremental")
    assert more.verification is not None
    assert more.verification.ok
    assert more.manifest.details["needs"] == [full.manifest.id]
    assert [entry.verified for entry in backups.entries()] == [True, True]
    assert backups.status().ok
    assert [path.name for path in home.iterdir()] == ["disk"]


def test_a_base_of_which_a_byte_was_changed_fails_its_trial_and_is_named(backups: Backups, home: Path) -> None:
    made = backups.run(kind="base", verify=False).manifest
    path = home / "disk" / made.id / "backup_manifest.zst"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(VerificationFailed, match=r"backup_manifest\.zst"):
        backups.verify()
    assert "failed its verification" in red(backups)
    assert backups.cluster.base_backup_due() == f"{made.id} failed its verification"
    with pytest.raises(NotPossible, match="failed its verification"):
        backups.run(kind="incremental")


def test_without_a_base_there_is_no_incremental_and_no_way_back(backups: Backups, home: Path) -> None:
    with pytest.raises(NotPossible, match="no base backup"):
        backups.run(kind="incremental")
    assert backups.cluster.base_backup_due() == "there is no base backup"
    with pytest.raises(RestoreRefused, match="no base backup"):
        backups.recover(home / "new")
    with pytest.raises(ValueError, match="dump, base, incremental"):
        backups.run(kind="full")
    assert backups.entries() == []


def test_a_base_is_not_taken_for_the_latest_dump(backups: Backups) -> None:
    backups.run(kind="base", verify=False)
    with pytest.raises(BackupNotFound):
        backups.reader()


def test_the_cluster_comes_back_to_a_moment_and_its_archive_goes_on(
    backups: Backups, server: PostgresServer, home: Path
) -> None:
    archive = WalArchive(
        server.dsn,
        home / "disk",
        Stores([open_store(str(home / "disk"))]),
        Toolbox(18),
        lambda: Packing(level=1),
        heartbeat=0.2,
    )
    archive.start()
    try:
        made = backups.run(kind="base", verify=False).manifest
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE precious ()")
            row = conn.execute("SELECT clock_timestamp()").fetchone()
            conn.execute("DROP TABLE precious")
        assert row is not None
        dropped = time.time()
        while backups.cluster.windows()[made.id].ends.timestamp() < dropped + 0.5:
            time.sleep(0.05)
    finally:
        archive.stop(10.0)
    assert [str(problem) for problem in backups.status(timedelta(days=1)).problems] == ["no backup was ever verified"]
    with pytest.raises(RestoreRefused, match="what can be reached"):
        backups.recover(home / "new", datetime.now(UTC) + timedelta(days=1))
    done = backups.recover(home / "new", row[0])
    assert done.last_commit is None or done.last_commit <= row[0]
    assert swap(done.directory, home / "data", now=0.0) is None
    back = Embedded(home / "data", settings={"shared_buffers": "64MB"})
    back.start()
    stores = Stores([open_store(str(home / "disk"))])
    again = WalArchive(back.dsn, home / "disk", stores, Toolbox(18), lambda: Packing(level=1), heartbeat=0.2)
    try:
        restored = Backups(back.dsn(), stores, scratch=home, self_init=True)
        with psycopg.connect(back.dsn().conninfo, autocommit=True) as conn:
            assert conn.execute("SELECT to_regclass('precious')::text").fetchone() == ("precious",)
            again.start()
            deadline = time.monotonic() + 60
            while (due := restored.cluster.base_backup_due()) is None:  # as soon as the receiver has something
                assert time.monotonic() < deadline, red(backups)
                time.sleep(0.05)
            assert due == f"the log went on to timeline 2 after {made.id}"
            conn.execute("CREATE TABLE at_once ()")
            written_until(again, time.time())
            while "timeline 2" in red(backups):  # until its history is in the store, no base leads to it
                assert time.monotonic() < deadline, red(backups)
                time.sleep(0.05)
            (history,) = (home / "disk/wal").rglob("00000002.history*")
            history.rename(home / "history")
            assert "timeline 2, and the newest base with its WAL does not lead there" in red(backups)
            (home / "history").rename(history)
            assert tables_in(restored.recover(home / "early").directory) == ["at_once", "precious"]
            along_the_old = restored.recover(home / "old", row[0]).directory
            assert (along_the_old / "pg_wal/00000003.history").exists()  # the second is taken, there and for ever
            restored.run(kind="base")
            assert restored.cluster.base_backup_due() is None
            conn.execute("CREATE TABLE afterwards ()")
            written_until(again, time.time())
    finally:
        again.stop(10.0)
        back.stop()
    newest = restored.recover(home / "newest")
    assert newest.plan.base.details["timeline"] == 2
    assert tables_in(newest.directory) == ["afterwards", "at_once", "precious"]


def tables_in(directory: Path) -> list[str]:
    """The tables without columns of a restored cluster."""
    restored = Embedded(directory, settings={"shared_buffers": "64MB"})
    restored.start()
    try:
        with psycopg.connect(restored.dsn().conninfo) as conn:
            found = conn.execute(
                "SELECT relname FROM pg_class WHERE relnatts = 0 AND relkind = 'r' ORDER BY relname"
            ).fetchall()
    finally:
        restored.stop()
    return [name for (name,) in found]


def written_until(archive: WalArchive, moment: float) -> None:
    """Wait until the archive has all that was committed before `moment`."""
    deadline = time.monotonic() + 60
    while (archive.status().received_at or 0.0) < moment + 0.5:
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


class Later(SystemClock):
    """The machine's clock, some days from now."""

    days = 0

    def time(self) -> float:
        return super().time() + self.days * 86400


def test_thinning_out_keeps_dumps_and_bases_apart_and_drops_the_log_nobody_needs(
    server: PostgresServer, home: Path
) -> None:
    stores = Stores([open_store(str(home / "disk"))])
    archive = WalArchive(
        server.dsn, home / "disk", stores, Toolbox(18), lambda: Packing(level=1), slot="thin", ship_every=0.1
    )
    clock = Later()
    backups = Backups(
        server.dsn(), stores, retention=Retention(days=1, verified=1), scratch=home, clock=clock, self_init=True
    )
    archive.start()
    try:
        for kind in ("base", "dump"):
            backups.run(kind=kind, verify=False)
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            for _ in range(3):
                conn.execute("SELECT pg_current_xact_id()")
                conn.execute("SELECT pg_switch_wal()")
        deadline = time.monotonic() + 60
        while sum(".partial" not in key for key in stores.list("wal")) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        clock.days = 3
        done = backups.run(kind="base")
    finally:
        archive.stop(10.0)
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("SELECT pg_drop_replication_slot('thin')")
    removed = [each for each in done.decisions if not each.keep]
    assert [each.id.partition("_")[0] for each in removed] == ["backup", "wal"]
    assert [entry.manifest.kind for entry in backups.entries() if entry.manifest] == ["dump", "base"]
    assert backups.cluster.problems(allowed=4 * 86400.0) == ()


def test_log_that_is_shipped_while_a_restore_reads_it_is_found_in_the_store(home: Path) -> None:
    stores = Stores([open_store(str(home / "disk"))])
    size = 1 << 20
    name = Segment(1, 5, size).name
    packed = io.BytesIO()
    Packing(level=1).pack(io.BytesIO(b"x" * size), packed)
    gone = Wal(Segment(1, 5, size), 0.0, True, path=home / f"{name}.partial")
    stores.put("wal/00000001/other.zst", b"")
    placing = _Placing(stores, lambda: None, "")
    with pytest.raises(BackupDamaged, match=name):
        placing.place(gone, home / "target")
    stores.put(f"wal/00000001/{name}.zst", packed.getvalue())
    placing.place(gone, home / "target")
    assert (home / "target").read_bytes() == b"x" * size
    (home / name).write_bytes(b"y" * size)  # completed, and not shipped yet
    placing.place(gone, home / "target")
    assert (home / "target").read_bytes() == b"y" * size


def test_of_many_segments_the_one_that_is_damaged_or_missing_is_named(home: Path) -> None:
    stores = Stores([open_store(str(home / "disk"))])
    size = 1 << 20
    packed = io.BytesIO()
    Packing(level=1).pack(io.BytesIO(b"x" * size), packed)
    log = [
        Wal(each := Segment(1, number, size), 0.0, False, key=f"wal/00000001/{each.name}.zst") for number in range(9)
    ]
    for each in log:
        stores.put(each.key or "", packed.getvalue())
    told: list[int] = []
    place_log(log, home, stores, lambda _: None, lambda step, done, total, unit: told.append(done), system="")
    assert told == list(range(1, 10))
    assert all((home / each.segment.name).stat().st_size == size for each in log)
    for content in (packed.getvalue()[:-9] + b"damaged!!", packed.getvalue()[:50], None):
        if content is None:
            stores.delete(log[5].key or "")
        else:
            stores.put(log[5].key or "", content)
        with pytest.raises((BackupDamaged, AllStoresFailed), match=log[5].segment.name):
            place_log(log, home, stores, lambda _: None, silent, system="")


def test_log_is_unneeded_only_before_the_oldest_base_of_its_timeline() -> None:
    log = [wal(number, 0) for number in range(8)]
    assert [each.segment.number for each in unneeded([base(0, 4), base(9, 6)], log)] == [0, 1, 2, 3, 4]
    assert unneeded([], log) == ()
    later = [type(log[0])(segment(number, 2), 0.0, False, key="x") for number in (1, 9)]
    assert unneeded([base(0, 4)], later) == ()
    assert unneeded([base(0, 4, timeline=2)], [*log, *later]) == (*log, later[0])
