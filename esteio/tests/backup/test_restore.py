"""A restore is checked before anything is touched, and the old database is there until somebody removes it."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from trial_database import CONTENT, names, query

import esteio.backup.restore._database as restore_database
from esteio.backup import (
    AlreadyRunning,
    BackupNotFound,
    Backups,
    ManifestError,
    NotConfirmed,
    RestoreRefused,
    RestoreUnclear,
    ToolFailed,
)
from esteio.backup._lock import Lock
from esteio.backup.dump._load import drop_database
from esteio.backup.restore._database import swap
from esteio.backup.store import Stores, open_store
from esteio.postgres import DatabaseUnavailable, Dsn
from esteio.testing.postgres import PostgresServer

COUNT = "select count(*) from conta"


@pytest.fixture
def made(backups: Backups, folder: Path) -> Backups:
    """`backups` with one in it."""
    return backups


def change_manifest(backups: Backups, tmp_path: Path, **changes) -> None:
    manifest = backups.entries()[-1].manifest
    assert manifest is not None
    (tmp_path / "cópias" / manifest.id / "manifest.json").write_text(replace(manifest, **changes).to_json())


def test_a_restore_in_place_brings_the_past_back_and_keeps_the_present(made: Backups, database: Dsn) -> None:
    query(database, "delete from conta where id > 10; drop table dividida")
    asked = []
    done = made.restore_in_place(lambda name: not asked.append(name))
    assert asked == [database.database]
    assert query(database, COUNT) == [(5000,)]
    assert done.rows == 5105
    assert done.kept is not None
    assert query(database.with_(database=done.kept), COUNT) == [(10,)]
    assert names(database, database.database or "") == sorted([database.database or "", done.kept])


def test_a_new_database_has_its_name_only_when_it_is_whole(made: Backups, database: Dsn) -> None:
    """Else a server that is killed in between leaves a half-made one under the name that somebody waits for."""
    name, seen = f"{database.database} inteiro", []

    def progress(*_: object) -> None:
        seen.append(name in names(database))

    made.restore_into(name, progress=progress)
    assert seen
    assert not any(seen)
    assert name in names(database)
    drop_database(database.with_(database="postgres"), name)


def test_a_restore_into_a_new_database_leaves_the_present_one_alone(made: Backups, database: Dsn) -> None:
    query(database, "delete from conta")
    name = f"{database.database} 'cópia\" de ontem'"
    assert made.restore_into(name).kept is None
    assert query(database, COUNT) == [(0,)]
    assert query(database.with_(database=name), COUNT) == [(5000,)]
    with pytest.raises(RestoreRefused, match="it exists; choose another name"):
        made.restore_into(name)


def test_nothing_happens_without_the_name(made: Backups, database: Dsn) -> None:
    before = names(database)
    with pytest.raises(NotConfirmed, match="nothing was changed; type its name, or pass --yes"):
        made.restore_in_place(lambda _name: False)
    assert names(database) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"server_version": "19.0"}, r"the backup is of PostgreSQL 19\.0, the server is the older 18"),
        ({"extensions": {"postgis": "3"}}, "lacks the extensions postgis"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_touched(
    made: Backups, database: Dsn, tmp_path: Path, changes, said: str
) -> None:
    change_manifest(made, tmp_path, **changes)
    before = names(database)
    with pytest.raises(RestoreRefused, match=said):
        made.restore_in_place(lambda _name: pytest.fail("asked although it cannot work"))
    assert names(database) == before


def test_an_older_major_is_restored_on_a_newer_server(made: Backups, database: Dsn, tmp_path: Path) -> None:
    change_manifest(made, tmp_path, server_version="16.9")
    assert made.restore_into(f"{database.database} de 16").rows == 5105


def test_a_role_that_may_make_no_databases_is_told_so(made: Backups, database: Dsn) -> None:
    query(database, "create role fraca login")
    try:
        weak = Backups(database.with_(user="fraca"), made.catalogue._stores, self_init=True)
        with pytest.raises(RestoreRefused, match="role 'fraca' may make no databases; use a role with CREATEDB"):
            weak.restore_into("x")
    finally:
        query(database, "drop role fraca")


@pytest.mark.parametrize("step", ["check", "restore", "compare", "swap"])
def test_an_interrupt_in_any_step_leaves_the_old_database_as_it_was(made: Backups, database: Dsn, step: str) -> None:
    query(database, "delete from conta where id > 10")
    before = names(database)

    def interrupt(now: str, done: int, total: int, unit: str) -> None:
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.restore_in_place(lambda _name: True, progress=interrupt)
    assert names(database) == before
    assert query(database, COUNT) == [(10,)]


def test_a_restore_cut_off_by_the_server_leaves_the_old_database_as_it_was(made: Backups, database: Dsn) -> None:
    before = names(database)
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname like '%_restoring_%'"

    restoring = threading.Event()

    def cut_off() -> None:
        restoring.wait(20)
        while not query(database, cut):
            assert not made_or_failed.wait(0.002), "it was over before it could be cut off"

    def progress(step: str, done: int, total: int, unit: str) -> None:
        if step == "restore":
            restoring.set()

    made_or_failed = threading.Event()
    cutting = threading.Thread(target=cut_off)
    cutting.start()
    with pytest.raises(ToolFailed, match=r"(?s)pg_restore failed.*terminat"):
        made.restore_in_place(lambda _name: True, progress=progress)
    made_or_failed.set()
    cutting.join()
    assert names(database) == before


def test_a_restore_waits_for_a_prune_and_for_nothing_else(made: Backups, database: Dsn) -> None:
    told: list[str] = []
    begun, waited = threading.Event(), threading.Event()

    def progress(step: str, done: int, total: int, unit: str) -> None:
        told.append(step)
        if step == "wait":
            waited.set()

    def prune() -> None:
        with made._deleting():
            begun.set()
            waited.wait(20)

    with Lock(made._local.file("lock")), made._reading(progress):  # a backup and another restore
        assert made.restore_into(f"{database.database} ao lado", progress=progress).rows == 5105
    assert "wait" not in told
    pruning = threading.Thread(target=prune)
    pruning.start()
    begun.wait(20)
    assert made.verify(progress=progress).ok
    pruning.join()
    assert waited.is_set()


def test_nothing_is_removed_while_somebody_reads(made: Backups) -> None:
    with made._reading(lambda *_: None):
        for act in (made.prune, lambda: made.delete(made.entries()[0].id)):
            with pytest.raises(AlreadyRunning):
                act()
        assert made.run().decisions == ()
    assert len(made.prune()) == 2


def test_who_writes_meanwhile_is_cut_off_and_finds_the_restored_database(made: Backups, database: Dsn) -> None:
    stop = threading.Event()
    written, found = [0], threading.Event()

    def write() -> None:
        while not stop.is_set():
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(database.conninfo, autocommit=True) as conn,
            ):
                while not stop.is_set():
                    conn.execute("insert into conta (id, nome) values (10000 + nextval('seq'), 'nova')")
                    written[0] += 1
                    if conn.execute("select 1 from pg_database where datname like '%_before_%'").fetchone():
                        found.set()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        done = made.restore_in_place(lambda _name: True)
        assert found.wait(30)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert done.kept is not None
    assert written[0] > 0
    old = query(database.with_(database=done.kept), COUNT)[0][0]
    new = query(database, COUNT)[0][0]
    assert old > 5000 or new > 5000
    assert new >= 5000


def test_the_service_is_closed_from_the_confirmation_to_the_swap_and_what_is_under_way_may_end(
    made: Backups, database: Dsn
) -> None:
    seen: list[str] = []
    ended = threading.Event()

    @contextlib.contextmanager
    def quiet() -> Iterator[None]:
        seen.append("closed")
        try:
            yield
        finally:
            seen.append("open")

    def work() -> None:
        query(database, "insert into conta (id, nome) select 20000, pg_sleep(1)::text")
        ended.set()

    def progress(step: str, done: int, total: int, unit: str) -> None:
        if step not in seen:
            seen.append(step)
        if step == "swap":
            threading.Thread(target=work).start()
            time.sleep(0.3)

    done = made.restore_in_place(lambda _: not seen.append("asked"), progress=progress, quiet=quiet())
    assert seen == ["asked", "check", "closed", "restore", "compare", "swap", "open"]
    assert ended.is_set()
    assert query(database.with_(database=done.kept), "select count(*) from conta where id = 20000") == [(1,)]
    with pytest.raises(NotConfirmed):
        made.restore_in_place(lambda _: False, quiet=quiet())
    assert seen[-1] == "open"


@pytest.mark.timeout(180)
def test_a_role_that_is_no_superuser_swaps_beside_an_autovacuum_worker(tmp_path: Path) -> None:
    settings = {
        "autovacuum_naptime": "1s",
        "autovacuum_vacuum_cost_delay": "100ms",
        "autovacuum_vacuum_cost_limit": "1",
    }
    server = PostgresServer(settings=settings)
    server.start()
    try:
        query(server.dsn(), "create role dona login createdb")
        admin = server.dsn().with_(user="dona", database="postgres")
        for name in ("antiga", "nova", "outra"):
            query(admin, f"create database {name}")
        busy = ("nova", "outra")
        for name in busy:
            query(server.dsn(name), "create table t as select repeat('x', 500) x from generate_series(1, 200000)")
            query(server.dsn(name), "delete from t")
        workers = """
            select count(distinct datname) from pg_stat_activity
            where backend_type = 'autovacuum worker' and datname in ('nova', 'outra')"""
        deadline = time.monotonic() + 60
        while query(server.dsn(), workers) != [(2,)]:
            assert time.monotonic() < deadline, "no autovacuum worker came"
            time.sleep(0.1)
        swap(admin, "nova", "antiga", "antiga_before")
        assert {"antiga", "antiga_before"} <= set(names(server.dsn()))
        drop_database(admin, "outra")
        assert "outra" not in names(server.dsn())
    finally:
        server.stop()


def _lost_after_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server carries out the rename, and its answer never arrives."""
    real = restore_database._rename

    def renamed(*arguments: object) -> bool:
        real(*arguments)
        msg = "server closed the connection unexpectedly"
        raise psycopg.OperationalError(msg)

    monkeypatch.setattr(restore_database, "_rename", renamed)


def test_a_server_lost_at_commit_is_asked_what_it_did(
    made: Backups, database: Dsn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query(database, "delete from conta")
    _lost_after_commit(monkeypatch)
    done = made.restore_in_place(lambda _name: True)
    assert done.kept is not None
    assert query(database, COUNT) == [(5000,)]


def test_while_nobody_knows_what_a_lost_server_did_nothing_is_put_back(
    made: Backups, database: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lost_after_commit(monkeypatch)
    monkeypatch.setattr(restore_database, "_SERVER_PATIENCE", 0.0)
    swapped: list[str] = []
    swap_ = restore_database.swap

    def swapping(*arguments: object, **more: object) -> None:
        monkeypatch.setattr(restore_database, "connect", _away)
        swapped.append("swapped")
        swap_(*arguments, **more)

    monkeypatch.setattr(restore_database, "swap", swapping)
    with pytest.raises(RestoreUnclear, match="if that database still exists, nothing was changed"):
        made.restore_in_place(lambda _name: True)
    assert swapped == ["swapped"]


def _away(dsn: Dsn) -> object:
    raise DatabaseUnavailable(dsn.masked, "it is away")


def test_a_name_at_its_longest_is_shortened_within_no_letter(postgres_server, tmp_path: Path) -> None:
    name = "ã" * 31
    dsn = postgres_server.create_database(name)
    try:
        backups = Backups(dsn, Stores([open_store(str(tmp_path / "cópias"))]), self_init=True)
        backups.run(verify=False)
        kept = backups.restore_in_place(lambda _name: True).kept
        assert kept is not None
        assert len(kept.encode()) <= 63
        assert names(dsn, "ã") == sorted([name, kept])
    finally:
        for found in names(postgres_server.dsn(), "ã"):
            postgres_server.drop_database(found)


@pytest.mark.skipif(not Path("/usr/lib/postgresql/15/bin/postgres").exists(), reason="PostgreSQL 15 is not installed")
def test_a_real_older_major_goes_up_and_a_newer_one_does_not_come_down(
    made: Backups, tmp_path: Path, database: Dsn
) -> None:
    old = PostgresServer(major=15)
    old.start()
    try:
        source = old.create_database("velha")
        query(source, CONTENT)
        before = Backups(source, Stores([open_store(str(tmp_path / "de 15"))]), self_init=True)
        done = before.run()
        assert done.verification is not None
        assert "amcheck" in done.verification.checked
        up = Backups(database.with_(database=f"{database.database} nova"), before.catalogue._stores, self_init=True)
        assert up.restore_in_place(lambda _name: True).rows == 5105
        down = Backups(old.dsn("nova"), made.catalogue._stores, self_init=True)
        with pytest.raises(RestoreRefused, match="the server is the older 15; restore on PostgreSQL 18 or newer"):
            down.restore_in_place(lambda _name: True)
        assert names(old.dsn(), "nova") == []
    finally:
        old.stop()


def test_a_base_backup_is_not_restored_as_a_database(made: Backups, tmp_path: Path) -> None:
    change_manifest(made, tmp_path, kind="base")
    [entry] = made.entries()
    with pytest.raises(ManifestError, match="it is of kind base: the whole cluster, not a database"):
        made.restore_into("x", entry.id)
    with pytest.raises(BackupNotFound, match="'latest'"):
        made.restore_into("x")
