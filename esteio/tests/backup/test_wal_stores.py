"""WAL in two stores, one of which fails: nothing is released too early, overwritten, or silently missing."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.backup import Backups, ProblemCode, RestoreRefused
from esteio.backup.archive import Limit, Segment, WalArchive, WalConflict, WalMended, WalMismatch, gaps
from esteio.backup.archive._inventory import list_wal
from esteio.backup.archive._segments import FOLDER, KEYS, WalObject
from esteio.backup.archive._ship import Shipping
from esteio.backup.archive._spool import Spool
from esteio.backup.packing import Decryption, Encryption, Packing
from esteio.backup.restore import Target
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, SystemClock
from esteio.postgres.embedded import Embedded
from esteio.testing import ManualClock, recorded_events
from esteio.testing.postgres import PostgresServer

pytestmark = [pytest.mark.untimed, pytest.mark.timeout(180)]

SIZE = 1 << 24
PHRASE = "correto cavalo"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
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
def stores(home: Path) -> Stores:
    """Two directories, `near` and `far`."""
    for name in ("near", "far"):
        (home / name).mkdir()
    return Stores([open_store(str(home / name)) for name in ("near", "far")])


class Later(SystemClock):
    """The machine's clock, some time from now."""

    seconds = 0.0

    def time(self) -> float:
        return super().time() + self.seconds


def archived(server: PostgresServer, stores: Stores, home: Path, **given: Any) -> WalArchive:
    given = {"slot": "two", "heartbeat": 0.2, "ship_every": 0.05, "partial_every": 0.5, **given}
    packing = given.pop("packing", lambda: Packing(level=1))
    return WalArchive(server.dsn, given.pop("directory", home / "near"), stores, Toolbox(18), packing, **given)


@pytest.fixture
def archive(server: PostgresServer, stores: Stores, home: Path) -> Iterator[WalArchive]:
    made = archived(server, stores, home)
    yield made
    made.stop(0.0)
    free_slots(server)


def free_slots(server: PostgresServer) -> None:
    # The server notices a moment later that its client has gone; a slot that stayed would give the next test old WAL.
    until(lambda: run(server, "SELECT NOT bool_or(active) IS TRUE FROM pg_replication_slots"))
    run(server, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def run(server: PostgresServer | Embedded, *statements: str) -> Any:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        result = None
        for statement in statements:
            cursor = conn.execute(statement)
            result = cursor.fetchone() if cursor.description else None
        return result and result[0]


def switch(server: PostgresServer, times: int = 1) -> None:
    for _ in range(times):
        run(server, "SELECT pg_current_xact_id()", "SELECT pg_switch_wal()")


def arrived(server: PostgresServer, archive: WalArchive) -> None:
    """Wait until all that was committed is durable in the spool, and all that is complete in every store."""
    now = run(server, "SELECT pg_current_wal_flush_lsn()::text")
    received = f"SELECT bool_or(flush_lsn >= '{now}') FROM pg_stat_replication WHERE application_name = 'esteio backup'"
    until(lambda: run(server, received))
    until(lambda: not archive.status().waiting)


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def away(place: Path) -> None:
    """As when a disk is taken out: something else is in its place."""
    place.rename(place.with_suffix(".out"))
    while not place.is_file():  # an upload that was under way may make the directory anew in between
        shutil.rmtree(place, ignore_errors=True)
        with suppress(IsADirectoryError):
            place.write_text("no directory")


def back(place: Path) -> None:
    place.unlink()
    place.with_suffix(".out").rename(place)


def held(place: Path) -> dict[str, Path]:
    """The complete files of WAL in a directory store, by PostgreSQL's name."""
    found = {}
    for path in place.rglob("wal/**/*.zst*"):
        each = WalObject.parse(path.relative_to(place).as_posix())
        if each is not None and not each.partial:
            found[each.file] = path
    return found


def at_least(place: Path, count: int) -> None:
    until(lambda: len(held(place)) >= count)


def failing(archive: WalArchive) -> bool:
    return any(lag.error for lag in archive.status().stores)


def holes(place: Path) -> Any:
    return gaps(segment for name in held(place) if (segment := Segment.parse(name, SIZE)))


def codes(backups: Backups, max_age: timedelta | None = None) -> set[ProblemCode]:
    return {problem.code for problem in backups.status(max_age).problems}


def tables(directory: Path) -> set[str]:
    restored = Embedded(directory, settings={"shared_buffers": "64MB"})
    restored.start()
    try:
        return set(
            run(restored, "SELECT array_agg(relname::text) FROM pg_class WHERE relnatts = 0 AND relkind = 'r'") or ()
        )
    finally:
        restored.stop()


# Shipping


@pytest.mark.fault
def test_who_receives_again_after_another_machine_goes_on_where_that_one_was(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    other = archived(server, stores, home, directory=home / "other")
    archive.start()
    switch(server)
    arrived(server, archive)
    archive.stop(5.0)
    (left,) = archive.directory.glob("*.partial")
    try:
        started(server, other)
        switch(server, 3)
        arrived(server, other)
        until(lambda: removed(server, left.stem))
    finally:
        other.stop(5.0)
    started(server, archive)  # what it would have gone on from is gone from the server
    switch(server)
    arrived(server, archive)
    assert holes(home / "far") == ()


def started(server: PostgresServer, archive: WalArchive) -> None:
    """Once the server has noticed that the receiver of before has gone."""
    until(lambda: run(server, "SELECT NOT bool_or(active) FROM pg_replication_slots"))
    archive.start()


def removed(server: PostgresServer, file: str) -> bool:
    """Whether the server has not got that segment any more; what it need not keep leaves with a checkpoint."""
    return not run(server, "CHECKPOINT", f"SELECT count(*) FROM pg_ls_waldir() WHERE name = '{file}'")


@pytest.mark.fault
def test_a_segment_leaves_the_spool_only_when_every_store_has_it_and_an_absent_store_is_caught_up(
    server: PostgresServer, home: Path, archive: WalArchive
) -> None:
    archive.start()
    switch(server)
    until(lambda: held(home / "far").keys() == held(home / "near").keys() and held(home / "far"))
    away(home / "far")
    before = set(held(home / "near"))
    switch(server, 3)
    until(lambda: len(set(held(home / "near")) - before) >= 3)
    waiting = {path.name for path in archive.directory.iterdir() if not path.name.endswith(".partial")}
    assert waiting >= set(held(home / "near")) - before

    def lag_is_told() -> bool:  # the next segment may be on its way to the near one just now
        lags = {Path(lag.store).name: lag for lag in archive.status().stores}
        return (lags["near"].waiting, lags["far"].waiting >= 3, bool(lags["far"].error)) == (0, True, True)

    until(lag_is_told)
    assert "cannot be shipped to" in str(archive.status().problems[0])
    back(home / "far")
    until(lambda: not archive.status().waiting)
    until(lambda: archive.status().problems == ())
    assert held(home / "far").keys() == held(home / "near").keys()
    assert holes(home / "far") == ()


@pytest.mark.fault
def test_a_full_spool_stops_receiving_which_is_red_and_loses_nothing(
    server: PostgresServer, stores: Stores, home: Path
) -> None:
    archive = archived(server, stores, home, limit=Limit(64 << 20))
    try:
        archive.start()
        away(home / "far")
        switch(server, 2)
        told = (ProblemCode.SPOOL_LARGE, ProblemCode.SPOOL_FULL)  # full at once, when the server had more for it
        until(lambda: any(p.code in told for p in archive.status().problems))
        switch(server, 4)
        until(lambda: any(p.code is ProblemCode.SPOOL_FULL for p in archive.status().problems))
        assert (archive.is_alive(), archive.status().receiving) == (True, False)
        # Whether it is full is looked at ten times a second: what came in between is there too, and then nothing more.
        until(
            lambda: not run(server, "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'esteio backup'")
        )
        full = archive.shipping.size()
        switch(server, 3)
        assert archive.shipping.size() == full
        back(home / "far")
        until(lambda: archive.status().problems == () and not archive.status().waiting)
        switch(server)
        at_least(home / "far", 10)
        assert holes(home / "far") == ()
    finally:
        archive.stop(0.0)
        free_slots(server)


@pytest.mark.fault
def test_a_spool_that_may_release_keeps_receiving_and_the_absent_store_is_caught_up_from_the_other(
    server: PostgresServer, stores: Stores, home: Path
) -> None:
    archive = archived(server, stores, home, limit=Limit(64 << 20, release=True))
    try:
        archive.start()
        away(home / "far")
        for number in range(7):
            switch(server)
            at_least(home / "near", number + 1)
        until(lambda: archive.status().receiving)  # what near has just taken is released a moment later
        until(lambda: archive.shipping.size() <= 64 << 20)
        assert archive.status().problems != ()
        back(home / "far")
        until(lambda: held(home / "near").keys() == held(home / "far").keys())
        assert holes(home / "far") == ()
    finally:
        archive.stop(0.0)
        free_slots(server)


def test_a_different_segment_of_the_same_name_is_never_overwritten_and_an_equal_one_is_accepted(
    stores: Stores, home: Path
) -> None:
    name = Segment(1, 5, 1 << 20).name
    spool = Spool(home / "spool" / "71")
    spool.directory.mkdir(parents=True)
    shipping = Shipping("wal", stores, lambda: Packing(level=1), Limit(), SYSTEM, partial_every=60.0)
    shipping.spools = (spool,)
    (spool.directory / name).write_bytes(b"one" * 100)
    shipping.ship()
    assert not (spool.directory / name).exists()
    first = held(home / "near")[name].read_bytes()
    (spool.directory / name).write_bytes(b"one" * 100)  # killed between the upload and the removal
    shipping.ship()
    assert not (spool.directory / name).exists()
    (spool.directory / name).write_bytes(b"two" * 100)
    with pytest.raises(WalConflict, match=name):
        shipping.ship()
    assert (spool.directory / name).exists()
    assert held(home / "near")[name].read_bytes() == first
    assert {lag.conflict for lag in shipping.lags()} == {name}
    (spool.directory / name).unlink()
    magic, long, position = b"\x18\xd1", b"\x02\x00", (6 << 20).to_bytes(8, "little")
    sizes = (1 << 20).to_bytes(4, "little") + (8192).to_bytes(4, "little")
    page = magic + long + b"\1\0\0\0" + position + bytes(8) + (72).to_bytes(8, "little") + sizes
    (spool.directory / Segment(1, 6, 1 << 20).name).write_bytes(page.ljust(8192, b"\0"))
    with pytest.raises(WalMismatch, match="is of cluster 72, not of 71"):
        shipping.ship()


def test_the_unfinished_segment_is_copied_again_when_it_has_changed_whatever_the_clock_did(
    stores: Stores, home: Path
) -> None:
    clock = ManualClock(time=time.time() + 400 * 86_400)
    spool = Spool(home / "spool" / "71")
    spool.directory.mkdir(parents=True)
    shipping = Shipping("wal", stores, lambda: Packing(level=1), Limit(), clock, partial_every=60.0)
    shipping.spools = (spool,)
    unfinished = spool.directory / f"{Segment(1, 5, 1 << 20).name}.partial"

    def copied(data: bytes) -> set[bytes]:
        unfinished.write_bytes(data)
        shipping.ship()
        return {path.read_bytes() for place in ("near", "far") for path in (home / place / "wal").rglob("*.partial*")}

    first = copied(b"one" * 100)
    clock.set_time(time.time())
    assert copied(b"two" * 200) == first, "not before a minute has passed"
    clock.advance(60.0)
    second = copied(b"two" * 200)
    assert len(first) == len(second) == 1
    assert second != first


@pytest.mark.fault
def test_the_key_file_is_in_every_store_before_the_first_segment_and_is_one_for_all_starts(
    server: PostgresServer, stores: Stores, home: Path
) -> None:
    @cache
    def key(key_file: bytes | None) -> Decryption | None:
        return Decryption.passphrase(PHRASE, key_file or b"")

    backups = Backups(
        server.dsn(),
        stores,
        packing=lambda: Packing(level=1, encryption=Encryption.passphrase(PHRASE)),
        key=key,
        self_init=True,
    )
    (home / "far" / "wal").mkdir()
    (home / "far" / "wal" / KEYS).write_text("in the way of the key files only")
    try:
        for start in range(2):
            archive = archived(server, stores, home, packing=backups._wal_packing)
            archive.start()
            switch(server)
            at_least(home / "near", start + 1)
            if not start:
                until(partial(failing, archive))
                assert held(home / "far") == {}
                (home / "far" / "wal" / KEYS).unlink()
            until(lambda: held(home / "near").keys() == held(home / "far").keys())
            archive.stop(10.0)
    finally:
        archive.stop(0.0)
        free_slots(server)
    for place in ("near", "far"):
        assert len(list((home / place / FOLDER / KEYS).iterdir())) == 1


# Which cluster


@pytest.mark.fault
def test_a_new_cluster_in_an_old_store_is_told_at_once_and_is_not_restored_unasked(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    old = Backups(server.dsn(), stores, scratch=home, self_init=True)
    archive.start()
    of_old = old.run(kind="base", verify=False).manifest
    run(server, "CREATE TABLE of_the_old ()")
    switch(server)
    arrived(server, archive)
    archive.stop(10.0)
    empty = PostgresServer()
    empty.start()
    beside = archived(empty, stores, home)
    new = Backups(empty.dsn(), stores, scratch=home, self_init=True)
    try:
        assert new.cluster.base_backup_due() == "there is no base backup"
        beside.start()
        switch(empty)
        until(lambda: ProblemCode.CLUSTER_NEW in codes(new))
        for path in (home / "far").rglob("wal/*/*/*"):  # copied meanwhile; that makes it no newer
            os.utime(path, (time.time() + 86400, time.time() + 86400))
        (told,) = [each for each in new.status().problems if each.code is ProblemCode.CLUSTER_NEW]
        assert told.fields["system"] == beside.directory.name
        of_new = new.run(kind="base", verify=False).manifest
        assert new.cluster.base_backup_due() is None
        assert ProblemCode.CLUSTER_NEW in codes(new)
        with pytest.raises(RestoreRefused) as refused:
            new.recover(home / "last")
        systems = [str(each.details["system_identifier"]) for each in (of_old, of_new)]
        assert all(system in str(refused.value) for system in systems)
        until(lambda: not beside.status().waiting)
        new.recover(home / "old", cluster=systems[0])
        assert "of_the_old" in tables(home / "old")
        new.accept_cluster(systems[1])
        assert ProblemCode.CLUSTER_NEW not in codes(new)
        assert new.recover(home / "new").plan.base.id == of_new.id
    finally:
        beside.stop(0.0)
        empty.stop()


# What belongs to a target


@pytest.mark.fault
def test_every_target_is_reachable_in_a_copy_whose_files_dates_have_moved_on(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    archive.start()
    backups = Backups(server.dsn(), stores, scratch=home, self_init=True)
    made = backups.run(kind="base", verify=False).manifest
    run(server, "DROP TABLE IF EXISTS early, late", "CREATE TABLE early ()")
    target = run(server, "SELECT clock_timestamp()")
    time.sleep(0.3)  # a heartbeat after it
    switch(server)
    run(server, "CREATE TABLE late ()")
    switch(server)
    arrived(server, archive)
    archive.stop(10.0)
    shutil.copytree(home / "far", home / "copy")
    later = time.time() + 7 * 86400
    for path in (home / "copy").rglob("*"):
        os.utime(path, (later, later))
    copied = Backups(server.dsn(), Stores([open_store(str(home / "copy"))]), scratch=home, self_init=True)
    assert copied.cluster.windows()[made.id].ends < datetime.now(UTC)
    copied.recover(home / "then", target)
    copied.recover(home / "last")
    assert {"early"} == tables(home / "then") & {"early", "late"}
    assert {"early", "late"} == tables(home / "last") & {"early", "late"}
    last = copied.cluster.windows()[made.id].ends
    copied.recover(home / "exactly", last)  # what is shown can be reached
    assert {"early", "late"} == tables(home / "exactly") & {"early", "late"}


@pytest.mark.fault
def test_a_cluster_comes_back_to_a_transaction_a_restore_point_a_position_and_the_end_of_its_base(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    archive.start()
    backups = Backups(server.dsn(), stores, scratch=home, self_init=True)
    run(server, "DROP TABLE IF EXISTS one, two, three, four")
    backups.run(kind="base", verify=False)
    with psycopg.connect(server.dsn().conninfo) as conn:
        conn.execute("CREATE TABLE one ()")
        xid = (conn.execute("SELECT pg_current_xact_id()::text").fetchone() or [""])[0]
    run(server, "CREATE TABLE two ()", "SELECT pg_create_restore_point('before three')", "CREATE TABLE three ()")
    lsn = run(server, "SELECT pg_current_wal_insert_lsn()::text")
    run(server, "CREATE TABLE four ()")
    backups.run(kind="base", verify=False)  # it came later, and must not be taken for those before it
    switch(server)
    arrived(server, archive)
    archive.stop(10.0)
    wanted = {"xid": (xid, 1), "name": ("before three", 2), "lsn": (lsn, 3), "immediate": ("", 4)}
    for kind, (value, count) in wanted.items():
        target = Target(kind, value)  # type: ignore[arg-type]
        backups.recover(home / kind, target)
        there = tables(home / kind) & {"one", "two", "three", "four"}
        assert there == set(["one", "two", "three", "four"][:count]), kind
    with pytest.raises(RestoreRefused, match="can't be reached"):
        backups.recover(home / "no", Target("name", "there is no such point"))
    assert not (home / "no").exists()


# What a store lacks, and what is damaged in it


@pytest.mark.fault
def test_what_a_store_lacks_is_red_damage_is_read_from_the_other_store_and_both_are_mended(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    clock = Later()
    backups = Backups(server.dsn(), stores, scratch=home, clock=clock, self_init=True)
    archive.start()
    made = backups.run(kind="base", verify=False).manifest
    run(server, "DROP TABLE IF EXISTS late", "CREATE TABLE late ()")
    switch(server, 4)
    arrived(server, archive)
    archive.stop(10.0)
    after = sorted(held(home / "near"))[-3:]
    whole = held(home / "far")[after[0]].read_bytes()
    held(home / "far")[after[0]].unlink()
    held(home / "near")[after[1]].write_bytes(whole[: len(whole) // 2])
    changed = bytearray(held(home / "near")[after[2]].read_bytes())
    changed[len(changed) // 2] ^= 1
    held(home / "near")[after[2]].write_bytes(changed)
    clock.seconds = 200.0
    (lacking,) = [p for p in backups.status().problems if p.code is ProblemCode.LOG_GAP_IN_STORE]
    assert (lacking.fields["first"], Path(str(lacking.fields["store"])).name) == (after[0], "far")
    assert codes(backups).isdisjoint({ProblemCode.LOG_OLD, ProblemCode.LOG_GAP})
    clock.seconds = 2 * 3600.0
    assert ProblemCode.LOG_OLD in codes(backups)
    with recorded_events() as seen:
        backups.recover(home / "last")
    assert "late" in tables(home / "last")
    assert sum(isinstance(event, WalMended) for event in seen) == 2
    changed[len(changed) // 2] ^= 1
    assert held(home / "near")[after[2]].read_bytes() == bytes(changed)
    held(home / "near")[after[1]].write_bytes(whole[:100])  # once more, for `copy`
    assert all(each.problem is None for each in backups.copy_log())
    assert backups.cluster.read_log() == []
    assert ProblemCode.LOG_GAP_IN_STORE not in codes(backups)
    assert made.id in backups.cluster.windows()


def test_all_is_copied_to_a_new_store(server: PostgresServer, stores: Stores, home: Path, archive: WalArchive) -> None:
    backups = Backups(server.dsn(), stores, scratch=home, self_init=True)
    archive.start()
    made = backups.run(kind="base", verify=False).manifest
    switch(server, 2)
    arrived(server, archive)
    archive.stop(10.0)
    (home / "new").mkdir()  # one that is not there may be a disk that is not mounted
    more = Backups(server.dsn(), Stores([*stores.stores, open_store(str(home / "new"))]), scratch=home, self_init=True)
    more.init()
    assert more.copy(made.id).left == ()
    assert [each for each in more.copy_log() if each.problem] == []
    assert held(home / "new").keys() == held(home / "near").keys()
    alone = Backups(server.dsn(), Stores([open_store(str(home / "new"))]), scratch=home, self_init=True)
    assert alone.recover(home / "last").plan.base.id == made.id


def test_an_archive_whose_receiver_died_is_red_for_whoever_asks(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    import psutil

    backups = Backups(server.dsn(), stores, scratch=home, self_init=True)
    archive.start()
    until(lambda: (archive.root / ".status.json").exists())
    (receiver,) = [child for child in psutil.Process().children() if child.name() == "pg_receivewal"]
    receiver.kill()
    until(lambda: not archive.is_alive())
    archive.stop(0.0)
    assert ProblemCode.LOG_NOT_RECEIVED in codes(backups)
    archive.start()
    until(lambda: ProblemCode.LOG_NOT_RECEIVED not in codes(backups))
    later = Later()
    later.seconds = 600.0
    assert ProblemCode.ARCHIVE_SILENT in codes(Backups(server.dsn(), stores, scratch=home, clock=later, self_init=True))
    archive.stop(10.0)
    assert not (archive.root / ".status.json").exists()


def test_wal_of_the_old_layout_is_found_and_goes_on_in_the_new_one(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    backups = Backups(server.dsn(), stores, scratch=home, self_init=True)
    archive.start()
    made = backups.run(kind="base", verify=False).manifest
    run(server, "DROP TABLE IF EXISTS late", "CREATE TABLE late ()")
    switch(server, 2)
    arrived(server, archive)
    for place in ("near", "far"):
        for name, path in held(home / place).items():
            old = home / place / FOLDER / name[:8] / f"{name}.zst"
            old.parent.mkdir(exist_ok=True)
            path.rename(old)
    switch(server)
    arrived(server, archive)
    archive.stop(10.0)
    assert {each.system for each, _ in list_wal(stores).objects[stores.stores[0].name]} == {
        None,
        str(made.details["system_identifier"]),
    }
    assert ProblemCode.LOG_GAP not in codes(backups)
    backups.recover(home / "last")
    assert "late" in tables(home / "last")


# Replay


HOSTILE = (
    "recovery_target_time = '2001-01-01'",
    "recovery_target_action = 'shutdown'",
    "restore_command = 'touch {home}/restore_command; false'",
    "recovery_end_command = 'touch {home}/recovery_end_command'",
    "archive_cleanup_command = 'touch {home}/archive_cleanup_command'",
    "archive_command = 'touch {home}/archive_command'",
    "archive_mode = 'always'",
    "shared_preload_libraries = 'there_is_no_such_library'",
    "session_preload_libraries = 'there_is_no_such_library'",
    "synchronous_standby_names = 'nobody'",
)


@pytest.mark.fault
def test_no_setting_of_the_backup_has_a_say_in_its_restore(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    """Left over from an earlier restore in postgresql.auto.conf, they ended it early, with exit code 0, or ran commands."""
    (home / "marks").mkdir()
    server.embedded.account.own(home / "marks")
    path = server.embedded.data_dir / "postgresql.auto.conf"
    before = path.read_text()
    lines = "\n".join(HOSTILE).format(home=home / "marks")
    archive.start()
    backups = Backups(server.dsn(), stores, scratch=home, self_init=True)
    run(
        server,
        "DROP TABLE IF EXISTS late",
        "CREATE SUBSCRIPTION taker CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)",
    )
    try:
        path.write_text(f"{before}\n{lines}\n")
        made = backups.run(kind="base", verify=False).manifest
    finally:
        path.write_text(before)
    run(server, "ALTER SUBSCRIPTION taker SET (slot_name = NONE)", "DROP SUBSCRIPTION taker", "CREATE TABLE late ()")
    switch(server)
    arrived(server, archive)
    archive.stop(10.0)
    assert backups.verify(made.id).ok
    done = backups.recover(home / "last")
    assert list((home / "marks").iterdir()) == []
    auto = done.directory / "postgresql.auto.conf"
    assert "there_is_no_such_library" in auto.read_text(), "it is left as it was"
    auto.write_text("")
    assert "late" in tables(done.directory)


@pytest.mark.fault
def test_a_replayed_server_runs_nothing_but_itself(server: PostgresServer, stores: Stores, home: Path) -> None:
    from esteio.backup.restore import plan, recover

    backups = Backups(server.dsn(), stores, scratch=home, self_init=True)
    run(server, "CREATE SUBSCRIPTION taker CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)")
    try:
        made = backups.run(kind="base", verify=False).manifest
    finally:
        run(server, "ALTER SUBSCRIPTION taker SET (slot_name = NONE)", "DROP SUBSCRIPTION taker")
    seen: list[Any] = []

    def look(replayed: Embedded) -> None:
        seen.append(run(replayed, "SELECT array_agg(backend_type ORDER BY 1) FROM pg_stat_activity"))
        seen.append(run(replayed, "SELECT count(*) FROM pg_subscription"))

    recover(plan([made], (), None, name="x"), home / "new", stores, Toolbox(18), lambda _: None, look_at_server=look)
    workers, subscriptions = seen
    assert subscriptions == 1
    assert not any("logical" in each or "archiver" in each or "autovacuum" in each for each in workers)


@pytest.mark.fault
def test_a_base_of_a_standby_is_restored_as_a_primary(stores: Stores, home: Path) -> None:
    primary = PostgresServer(settings={"full_page_writes": "on"})  # PostgreSQL refuses it otherwise
    primary.start()
    try:
        run(primary, "CREATE TABLE early ()")
        standby = primary.standby()
        try:
            made = Backups(standby.dsn(), stores, scratch=home, self_init=True).run(kind="base").manifest
        finally:
            standby.stop()
        done = Backups(primary.dsn(), stores, scratch=home).recover(home / "last")
    finally:
        primary.stop()
    assert done.plan.base.id == made.id
    assert not (done.directory / "standby.signal").exists()
    assert "early" in tables(done.directory)
