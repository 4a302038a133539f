"""A cluster copied, archived and brought back to a moment, on real servers."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.backup import BackupDamaged, Manifest, RestoreRefused
from esteio.backup._files import BackupReader, BackupWriter
from esteio.backup.archive import Wal, WalArchive, WalGap, WalNotShipped, WalShipped, gaps, inventory
from esteio.backup.archive._fetch import dated
from esteio.backup.base import NotPossible, take_base
from esteio.backup.cluster import swap
from esteio.backup.packing import Decryption, Encryption, Packing
from esteio.backup.restore import first_segment, plan, recover
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import Embedded
from esteio.testing import recorded_events
from esteio.testing.postgres import PostgresServer

pytestmark = [pytest.mark.untimed, pytest.mark.timeout(180)]

SIZE = 1 << 24
SETTINGS = {"summarize_wal": "on"}


@pytest.fixture(scope="module")
def toolbox() -> Toolbox:
    return Toolbox(18)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer(settings=SETTINGS)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def home() -> Iterator[Path]:
    """A place the server's account can reach."""
    made = Path(tempfile.mkdtemp(prefix="esteio-test-cópia de "))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def stores(home: Path) -> Stores:
    return Stores([open_store(str(home / "disk"))])


def no_key(key_file: bytes | None) -> Decryption | None:
    return None


def taken(stores: Stores, toolbox: Toolbox, server: PostgresServer, **given: Any) -> Manifest:
    packing = given.pop("packing", Packing(level=1))
    draft = BackupWriter(stores, f"b{time.time_ns()}", packing)
    manifest = take_base(draft, toolbox, server.dsn(), **given)
    draft.finish(manifest)
    return manifest


def files_of(stores: Stores, manifest: Manifest) -> bytes:
    return BackupReader(stores, manifest, no_key).text("files").encode()


def run(server: PostgresServer | Embedded, *statements: str) -> Any:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        result = None
        for statement in statements:
            cursor = conn.execute(statement)
            result = cursor.fetchone() if cursor.description else None
        return result and result[0]


def listed(stores: Stores, base: Manifest, spool: Path = Path("nowhere")) -> tuple[Wal, ...]:
    return dated(inventory(stores, spool, SIZE, base.details["system_identifier"]), stores, lambda: None)


def started(directory: Path, check: Callable[[Embedded], Any]) -> Any:
    restored = Embedded(directory, settings={"shared_buffers": "64MB"})
    restored.start()
    try:
        return check(restored)
    finally:
        restored.stop()


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture
def archive(server: PostgresServer, stores: Stores, home: Path, toolbox: Toolbox) -> Iterator[WalArchive]:
    made = WalArchive(
        server.dsn, home / "disk", stores, toolbox, lambda: Packing(level=1), heartbeat=0.2, ship_every=0.1
    )
    yield made
    made.stop(0.0)
    run(server, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def test_a_base_backup_is_restored_alone_and_holds_what_was_committed(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path
) -> None:
    run(server, "DROP TABLE IF EXISTS alone", "CREATE TABLE alone AS SELECT generate_series(1, 1000) n")
    manifest = taken(stores, toolbox, server)
    assert (manifest.kind, manifest.major, manifest.details["needs"]) == ("base", 18, [])
    restored = recover(plan([manifest], [], None, name="x"), home / "new", stores, toolbox, no_key)
    for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "esteio.conf", "postgresql.auto.conf"):
        assert (restored.directory / name).read_text() == (server.embedded.data_dir / name).read_text()
    assert started(restored.directory, lambda new: run(new, "SELECT count(*) FROM alone")) == 1000


def test_an_encrypted_base_and_its_encrypted_log_are_restored_with_the_passphrase(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path
) -> None:
    packing = Packing(level=1, encryption=Encryption.passphrase("correct horse"))

    @cache
    def key(key_file: bytes | None) -> Decryption | None:
        return Decryption.passphrase("correct horse", key_file or b"")

    archive = WalArchive(server.dsn, home / "disk", stores, toolbox, lambda: packing, slot="sealed", ship_every=0.1)
    try:
        archive.start()
        manifest = taken(stores, toolbox, server, packing=packing)
        run(server, "DROP TABLE IF EXISTS sealed", "CREATE TABLE sealed ()")
        name = run(server, "SELECT pg_walfile_name(pg_current_wal_lsn())")
        run(server, "SELECT pg_switch_wal()")
        until(lambda: any(wal.segment.name == name and not wal.partial for wal in listed(stores, manifest)))
    finally:
        archive.stop(10.0)
        run(server, "SELECT pg_drop_replication_slot('sealed')")
    log = listed(stores, manifest)
    restored = recover(plan([manifest], log, None, name="x"), home / "new", stores, toolbox, key)
    assert started(restored.directory, lambda new: run(new, "SELECT to_regclass('sealed')::text")) == "sealed"


def test_incrementals_are_joined_with_their_base(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path
) -> None:
    if not toolbox.has("pg_combinebackup"):
        pytest.skip("pg_combinebackup does not run here")
    run(server, "DROP TABLE IF EXISTS inc", "CREATE TABLE inc AS SELECT generate_series(1, 100000) n")
    chain = [taken(stores, toolbox, server)]
    for _ in range(2):
        run(server, "INSERT INTO inc VALUES (0)")
        parent = chain[-1]
        chain.append(taken(stores, toolbox, server, parent=parent, parent_files=files_of(stores, parent)))
    assert [m.kind for m in chain] == ["base", "incremental", "incremental"]
    assert chain[2].details["needs"] == [chain[0].id, chain[1].id]
    assert chain[1].part("base").size < chain[0].part("base").size - 2_000_000
    restored = recover(plan(chain, [], None, name="x"), home / "new", stores, toolbox, no_key)
    assert started(restored.directory, lambda new: run(new, "SELECT count(*) FROM inc")) == 100_002
    assert not (home / "new.parts").exists()


def test_a_changed_byte_in_the_base_is_found_and_nothing_is_left(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path
) -> None:
    manifest = taken(stores, toolbox, server)
    path = home / "disk" / manifest.id / manifest.part("base").name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupDamaged, match=path.name):
        recover(plan([manifest], [], None, name="x"), home / "new", stores, toolbox, no_key)
    assert not (home / "new").exists()


def test_what_can_not_be_made_is_refused_before_anything_is_written(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path
) -> None:
    parent = taken(stores, toolbox, server)
    other = Manifest(**{**_fields(parent), "details": {**parent.details, "system_identifier": "1"}})
    with pytest.raises(NotPossible, match="another cluster"):
        taken(stores, toolbox, server, parent=other)
    run(server, "ALTER SYSTEM SET summarize_wal = off", "SELECT pg_reload_conf()")
    try:
        until(lambda: run(server, "SHOW summarize_wal") == "off")
        with pytest.raises(NotPossible, match="summarize_wal"):
            taken(stores, toolbox, server, parent=parent)
    finally:
        run(server, "ALTER SYSTEM RESET summarize_wal", "SELECT pg_reload_conf()")
    assert {key.partition("/")[0] for key in stores.list()} == {parent.id}


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}


def test_another_major_an_existing_directory_and_a_small_disk_are_refused_first(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = taken(stores, toolbox, server)
    found = plan([manifest], [], None, name="x")
    older = Manifest(**{**_fields(manifest), "server_version": "17.2"})
    with pytest.raises(RestoreRefused, match="PostgreSQL 17"):
        recover(plan([older], [], None, name="x"), home / "new", stores, toolbox, no_key)
    with pytest.raises(RestoreRefused, match="exists"):
        recover(found, home / "disk", stores, toolbox, no_key)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: os.terminal_size((0, 0)) and type("U", (), {"free": 1}))
    with pytest.raises(RestoreRefused, match="MiB are needed"):
        recover(found, home / "new", stores, toolbox, no_key)
    assert not (home / "new").exists()


# The continuous archive


def test_any_second_can_be_brought_back(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path, archive: WalArchive
) -> None:
    run(server, "DROP TABLE IF EXISTS pitr", "CREATE TABLE pitr (n int, at timestamptz DEFAULT clock_timestamp())")
    archive.start()
    base = taken(stores, toolbox, server)
    moments: list[datetime] = []
    for number in range(3):
        run(server, f"INSERT INTO pitr VALUES ({number})")
        moments.append(run(server, "SELECT clock_timestamp()"))
        run(server, "SELECT pg_switch_wal()" if number == 1 else "SELECT 1")
        time.sleep(0.3)
    run(server, "DROP TABLE pitr")  # the accident
    dropped = run(server, "SELECT clock_timestamp()")
    until(lambda: archive.status().received_at > dropped.timestamp() + 0.5)
    log = listed(stores, base, archive.root)

    brasilia = moments[1].astimezone(__import__("zoneinfo").ZoneInfo("America/Sao_Paulo"))
    restored = recover(plan([base], log, brasilia, name="x"), home / "new", stores, toolbox, no_key)
    assert started(restored.directory, lambda new: run(new, "SELECT max(n) FROM pitr")) == 1

    with pytest.raises(RestoreRefused, match="what can be reached is"):
        plan([base], log, datetime.now(UTC) + timedelta(hours=1), name="x")


def test_a_moment_after_the_last_commit_is_refused_by_postgresql_and_nothing_is_left(
    server: PostgresServer, stores: Stores, toolbox: Toolbox, home: Path, archive: WalArchive
) -> None:
    archive.start()
    base = taken(stores, toolbox, server)
    run(server, "CREATE TABLE last_one ()", "DROP TABLE last_one")
    until(lambda: archive.status().lag == 0)
    archive.stop(10.0)
    log = [
        replace(wal, last=(wal.last or 0.0) + 3600)  # as names would say that somebody wrote by hand
        for wal in listed(stores, base, archive.root)
    ]
    target = datetime.now(UTC) + timedelta(minutes=30)
    with pytest.raises(RestoreRefused, match="the log ends before it") as refused:
        recover(plan([base], log, target, name="x"), home / "new", stores, toolbox, no_key)
    assert f"to {datetime.now(UTC):%Y-%m-%d}" in str(refused.value)
    assert not (home / "new").exists()


def test_complete_segments_are_shipped_and_leave_the_directory(
    server: PostgresServer, stores: Stores, archive: WalArchive
) -> None:
    with recorded_events() as seen:
        archive.start()
        assert archive.is_alive()
        for number in range(3):
            run(server, f"CREATE TABLE shipped_{number} ()", "SELECT pg_switch_wal()")
        shipped = until(lambda: [event for event in seen if isinstance(event, WalShipped)][2:] and seen)
    assert all(event.seconds < 60 for event in shipped if isinstance(event, WalShipped))
    until(lambda: not archive.status().waiting)
    assert sum(f"/{archive.directory.name}/00000001/" in key for key in stores.list("wal")) >= 3
    assert archive.status().problems == ()
    archive.stop(10.0)
    assert not archive.is_alive()
    assert "not being received" in str(archive.status().problems[0])


@pytest.mark.fault
def test_a_killed_receiver_is_seen_and_a_new_start_goes_on_without_a_gap(
    server: PostgresServer, stores: Stores, archive: WalArchive
) -> None:
    import psutil

    for _ in range(3):
        archive.start()
        run(server, "SELECT pg_switch_wal()", "SELECT pg_current_xact_id()")
        children = [child for child in psutil.Process().children() if child.name() == "pg_receivewal"]
        assert len(children) == 1
        children[0].send_signal(signal.SIGKILL)
        until(lambda: not archive.is_alive())
        run(server, "SELECT pg_switch_wal()", "SELECT pg_current_xact_id()")
    archive.start()
    until(lambda: not archive.status().waiting)
    assert gaps(wal.segment for wal in inventory(stores, archive.root, SIZE, archive.directory.name)) == ()


def test_a_segment_whose_making_was_cut_short_does_not_stop_the_archive(
    server: PostgresServer, archive: WalArchive
) -> None:
    """pg_receivewal: "write-ahead log file ... has 9437184 bytes, should be 0 or 16777216"."""
    archive.start()
    archive.stop(10.0)
    (partial,) = archive.directory.glob("*.partial")
    os.truncate(partial, 9437184)
    archive.start()
    assert archive.is_alive()


@pytest.mark.fault
def test_a_lost_slot_is_a_gap_that_a_new_base_heals(stores: Stores, home: Path, toolbox: Toolbox) -> None:
    small = PostgresServer(settings={**SETTINGS, "max_slot_wal_keep_size": "64MB", "max_wal_size": "48MB"})
    small.start()

    def missing(base: Manifest) -> Any:
        known = inventory(stores, home / "disk" / ".wal", SIZE, base.details["system_identifier"])
        return gaps((wal.segment for wal in known), first_segment(base))

    archive = WalArchive(
        small.dsn, home / "disk", stores, toolbox, lambda: Packing(level=1), heartbeat=0.2, ship_every=0.1
    )
    try:
        archive.start()
        old = taken(stores, toolbox, small)
        archive.stop(10.0)
        for _ in range(9):
            run(small, "SELECT pg_switch_wal()", "SELECT pg_current_xact_id()", "CHECKPOINT")
        assert archive.status().slot == "lost"
        (partial,) = archive.directory.glob("*.partial")
        partial.rename(
            partial.with_suffix("")
        )  # a complete one too, killed before it was shipped: it would be gone on from
        with recorded_events() as seen:
            archive.start()
        assert any(isinstance(event, WalGap) for event in seen)
        run(small, "SELECT pg_switch_wal()")
        found = until(lambda: missing(old))
        assert found
        new = taken(stores, toolbox, small)
        run(small, "SELECT pg_current_xact_id()", "SELECT pg_switch_wal()")
        until(lambda: archive.status().problems == () and not missing(new))
    finally:
        archive.stop(0.0)
        small.stop()


@pytest.mark.fault
def test_while_no_store_answers_the_log_stays_here_and_is_shipped_later(
    server: PostgresServer, stores: Stores, home: Path, archive: WalArchive
) -> None:
    (home / "disk").mkdir()
    (home / "disk" / "wal").write_text("in the way")
    with recorded_events() as seen:
        archive.start()
        run(server, "SELECT pg_switch_wal()", "SELECT pg_current_xact_id()")
        until(lambda: any(isinstance(event, WalNotShipped) for event in seen))
    until(lambda: archive.status().waiting and archive.status().stores[0].error)
    (home / "disk" / "wal").unlink()
    until(lambda: not archive.status().waiting)


# Put in place


def test_the_swap_keeps_the_old_directory_and_refuses_under_a_running_server(home: Path) -> None:
    old, new = home / "data", home / "new"
    for path, text in ((old, "old"), (new, "new")):
        path.mkdir()
        (path / "which").write_text(text)
    server = Embedded(home / "server")
    server.start()
    try:
        with pytest.raises(RestoreRefused, match="stop the service"):
            swap(new, server.data_dir, now=0.0)
    finally:
        server.stop()
    (old / "postmaster.pid").write_text(f"{os.getpid()}\n")  # a crash left it, and the number is another process' now
    kept = swap(new, old, now=0.0)
    assert kept == home / "data.before-19700101_000000"
    assert ((old / "which").read_text(), (kept / "which").read_text(), new.exists()) == ("new", "old", False)
    with pytest.raises(FileNotFoundError):
        swap(home / "nothing", old, now=1.0)
    assert (old / "which").read_text() == "new"
    shutil.rmtree(old)
    (home / "newer").mkdir()
    assert swap(home / "newer", old, now=0.0) is None
    assert old.is_dir()
