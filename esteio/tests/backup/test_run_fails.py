"""A run that fails, however it fails: it says why, leaves no half file, and removes nothing that it would have removed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from s3_server import Misbehaving, at
from trial_database import query, red, same_set

from esteio.backup import AlreadyRunning, BackupFailed, Backups, ProblemCode, Retention, ToolFailed, Verification, Why
from esteio.backup._manifest import Manifest, backup_id
from esteio.backup.store import AllStoresFailed, StoreDenied, Stores, UploadTruncated, open_store
from esteio.errors import EsteioError
from esteio.postgres import DatabaseUnavailable, Dsn
from esteio.testing import FlakyProxy, ManualClock, recorded_events
from esteio.testing.postgres import PostgresServer

RETENTION = Retention(days=1, verified=1)
KILLED = """
import os, sys
from esteio.backup.store import open_store
store = open_store(sys.argv[1])
store.put(f"{sys.argv[2]}/globals.sql.zst", b"1")
store.open(f"{sys.argv[2]}/database.dump.zst").write(b"2")
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that asks `dona` for her password, and is killed in the end."""
    made = PostgresServer()
    made.start()
    rules = made.embedded.data_dir / "pg_hba.conf"
    rules.write_text("local all dona scram-sha-256\n" + rules.read_text())
    query(made.dsn(), "select pg_reload_conf()")
    query(made.dsn(), "create role dona login superuser password 'a-certa'; create role curiosa login")
    query(made.dsn(), "create table grande as select repeat(md5(g::text), 30) t from generate_series(1, 20000) g")
    made.create_database("pequena")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def model(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small backup, to make old ones of."""
    root = tmp_path_factory.mktemp("modelo") / "cópias"
    backups = Backups(server.dsn("pequena"), Stores([open_store(str(root))]), self_init=True)
    return root / backups.run(verify=False).manifest.id


def planted(model: Path, root: Path, *ages: timedelta) -> list[str]:
    """Verified backups of these ages in `root`; their names."""
    ids = []
    same_set(model, root)
    for age in ages:
        at = datetime.now(UTC) - age
        name = backup_id("backup", at.timestamp())
        shutil.copytree(model, root / name)
        manifest = replace(Manifest.from_json((model / "manifest.json").read_text()), id=name)
        (root / name / "manifest.json").write_text(manifest.to_json())
        verification = Verification(name, at.isoformat(timespec="seconds"), 1.0, 1.0, "18.0", 1, ("restore",))
        (root / name / "proof.json").write_text(verification.to_json())
        ids.append(name)
    return ids


def content(root: Path) -> list[str]:
    files = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".lock")]
    files = [path for path in files if path.parent != root / "lock"]  # who worked there last
    return sorted(str(path.relative_to(root)) for path in files)


@pytest.fixture
def root(model: Path, tmp_path: Path) -> Path:
    """A store with two old verified backups, of which the next success removes the older."""
    made = tmp_path / "cópias"
    planted(model, made, timedelta(days=40), timedelta(days=30))
    return made


def backups_of(dsn: Dsn, root: Path) -> Backups:
    return Backups(dsn, Stores([open_store(str(root))]), retention=RETENTION, self_init=True)


def once(call: Callable[[], object]) -> Callable[..., None]:
    """A progress that calls while the content is being read."""
    called: list[bool] = []

    def progress(step: str, done: int, total: int, unit: str) -> None:
        if step == "database" and not called:
            called.append(True)
            call()

    return progress


def failing(backups: Backups, root: Path, kind: tuple[type[Exception], ...], progress: Any = lambda *_: None) -> str:
    """What a run says that has to fail; all else is as it was before."""
    before = content(root)
    assert [each.keep for each in backups.prune(dry_run=True)] == [False, True]
    with recorded_events() as seen, pytest.raises(kind) as caught:
        backups.run(progress)
    assert content(root) == before
    [told] = [event for event in seen if isinstance(event, BackupFailed)]
    assert isinstance(caught.value, EsteioError)
    assert str(caught.value) in str(told)
    return str(caught.value)


def test_a_wrong_password_is_said_without_it(server: PostgresServer, root: Path) -> None:
    wrong = server.dsn("postgres", "dona").with_(password="a-errada")
    said = failing(backups_of(wrong, root), root, (DatabaseUnavailable,))
    assert "password authentication failed" in said
    assert "a-errada" not in said
    right = backups_of(server.dsn("pequena", "dona").with_(password="a-certa"), root)
    made = right.run(verify=False).manifest.id
    assert b"a-certa" not in b"".join(path.read_bytes() for path in (root / made).iterdir())


def test_a_table_that_may_not_be_read_is_named(server: PostgresServer, root: Path) -> None:
    backups = backups_of(server.dsn("postgres", "curiosa"), root)
    assert "permission denied" in failing(backups, root, (EsteioError,))


def test_a_connection_cut_by_the_server_is_said(server: PostgresServer, root: Path) -> None:
    cut = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and query like 'COPY%'"
    )
    backups = backups_of(server.dsn(), root)
    assert "terminat" in failing(backups, root, (ToolFailed,), once(lambda: query(server.dsn(), cut)))


@pytest.mark.fault
@pytest.mark.untimed
def test_a_full_disk_ends_the_command_with_one(server: PostgresServer, model: Path, small_disk: Path) -> None:
    planted(model, small_disk, timedelta(days=40), timedelta(days=35), timedelta(days=32))
    query(
        server.dsn("pequena"),
        "create table if not exists fica as select md5(random()::text) t from generate_series(1, 60000)",
    )
    before = content(small_disk)
    env = {**os.environ, "DATABASE_URL": server.dsn("pequena").url, "BACKUP_DIR": str(small_disk)}
    command = [sys.executable, "-m", "esteio", "backup", "run"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    query(server.dsn("pequena"), "drop table fica")
    assert done.returncode == 1
    assert "No space left on device; make room or prune; nothing that is complete was removed" in done.stderr
    assert content(small_disk) == before


@pytest.mark.fault
@pytest.mark.untimed
def test_a_server_that_is_killed_is_said(server: PostgresServer, root: Path) -> None:
    backups = backups_of(server.dsn(), root)
    try:
        failing(backups, root, (ToolFailed, DatabaseUnavailable), once(server.kill))
    finally:
        server.embedded.stop(10.0)
        server.start()


# Interrupts, and two at once


def test_a_second_process_is_refused_and_an_interrupt_ends_the_first_without_a_trace(
    server: PostgresServer, root: Path
) -> None:
    before = content(root)
    env = {**os.environ, "DATABASE_URL": server.dsn().url, "BACKUP_DIR": str(root)}
    command = [sys.executable, "-m", "esteio", "backup", "run"]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert first.stderr.readline() == "Dumping the database ...\n"
        first.send_signal(signal.SIGSTOP)  # so that it is still at it, however long the second takes
        try:
            with pytest.raises(AlreadyRunning, match=f"process {first.pid} is at work there"):
                backups_of(server.dsn(), root).run()
        finally:
            first.send_signal(signal.SIGINT)
            first.send_signal(signal.SIGCONT)
        assert first.stderr.read().endswith("Interrupted.\n")
    assert first.returncode == 130
    assert content(root) == before
    busy = "select count(*) from pg_stat_activity where application_name = 'esteio backup'"
    assert query(server.dsn(), busy) == [(0,)]


# S3 as the second store, and as the only one


def misbehave(how: str, s3: Misbehaving, proxy: FlakyProxy) -> None:
    def forget(environ: dict[str, Any]) -> None:
        if environ["REQUEST_METHOD"] == "PUT":
            import io

            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body[: len(body) // 2])
            environ["CONTENT_LENGTH"] = str(len(body) // 2)
            environ.pop("HTTP_X_AMZ_CHECKSUM_SHA256", None)

    if how == "down":
        proxy.stop()
    elif how == "slow":
        proxy.delay(0.02)
    elif how == "forbidding":
        s3.before = lambda environ: ("403 Forbidden", "AccessDenied")
    else:
        s3.before = forget


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("down", "try again when it answers"),
        ("forbidding", "check the credentials and the permissions"),
        ("forgetful", "bytes were sent, it has"),
        ("slow", None),
    ],
)
def test_a_second_store_that_fails_costs_only_its_own_copy(
    server: PostgresServer, s3: Misbehaving, proxy: FlakyProxy, tmp_path: Path, how: str, said: str | None
) -> None:
    bucket = at(proxy, timeout=1)
    stores = Stores([open_store(str(tmp_path / "cópias")), bucket])
    Backups(server.dsn("pequena"), stores).init()
    backups = Backups(server.dsn("pequena"), stores)
    misbehave(how, s3, proxy)
    done = backups.run(verify=False)
    made = done.manifest.id
    assert content(tmp_path / "cópias") == [
        *(f"{made}/{name}" for name in sorted(p.name for p in tmp_path.rglob("*.zst"))),
        f"{made}/manifest.json",
        "store.json",
    ]
    if said is None:
        assert done.stores == tuple(sorted((str(tmp_path / "cópias"), bucket.name)))
        assert done.lacking == ()
        return
    assert done.stores == (str(tmp_path / "cópias"),)
    [problem] = done.lacking
    assert problem.code is ProblemCode.COPY_NOT_MADE
    assert str(problem).startswith(f"{made} is not in {bucket.name}: ")
    assert said in str(problem)
    if how == "forgetful":
        s3.before = None
        assert f"{made} is not in {bucket.name}: bring it there" in red(backups)
        assert len(backups.copy().files) == len(done.manifest.parts) + 1
        assert backups.check_copies().ok


@pytest.mark.parametrize("first", [True, False], ids=["first run", "later"])
@pytest.mark.parametrize(
    ("how", "kind"),
    [("down", AllStoresFailed), ("forbidding", StoreDenied), ("forgetful", UploadTruncated), ("slow", None)],
)
def test_the_only_store_that_fails_fails_the_run(
    server: PostgresServer,
    s3: Misbehaving,
    proxy: FlakyProxy,
    how: str,
    kind: type[Exception] | None,
    first: bool,
) -> None:
    """Also on the first run, when nobody knows yet whether it has a marker: then its own error is told, and no other."""
    stores = Stores([at(proxy, timeout=1)])
    if not first:
        Backups(server.dsn("pequena"), stores).init()
    backups = Backups(server.dsn("pequena"), stores, self_init=first)
    misbehave(how, s3, proxy)
    if kind is None:
        assert backups.run(verify=False).stores == ("s3://bucket/folder",)
        return
    with recorded_events() as seen, pytest.raises(AllStoresFailed, match="backup store s3://bucket/folder") as caught:
        backups.run(verify=False)
    assert kind is AllStoresFailed or isinstance(caught.value.failures["s3://bucket/folder"], kind)
    assert [type(event) for event in seen if isinstance(event, BackupFailed)] == [BackupFailed]
    s3.before = None
    proxy.start()
    assert backups.entries() == []


@pytest.mark.fault
@pytest.mark.untimed
def test_what_a_killed_run_left_is_removed_by_the_next_unless_a_store_is_away(
    server: PostgresServer, tmp_path: Path
) -> None:
    """Whoever holds every lease knows that nobody works on it; but a store that is away may have its manifest."""
    near, far = tmp_path / "near", tmp_path / "far"
    backups = Backups(server.dsn("pequena"), Stores([open_store(str(near)), open_store(str(far))]))
    backups.init()
    left = near / backup_id("backup", time.time() - 10)  # the next run may have this second's name
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(near), left.name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    hidden = {path.name for path in left.iterdir()}
    assert len(hidden) == 2
    far.rename(tmp_path / "away")
    assert [(each.id, each.why) for each in backups.prune()] == [(left.name, Why.UNREADABLE), ("wal", Why.HALTED)]
    assert left.exists()
    (tmp_path / "away").rename(far)
    assert [(each.id, each.why) for each in backups.prune(dry_run=True)] == [(left.name, Why.ABANDONED)]
    done = backups.run(verify=False)
    assert [(each.id, each.keep, each.why) for each in done.decisions] == [(left.name, False, Why.ABANDONED)]
    assert not left.exists()


# The clock


def test_a_clock_that_is_set_back_or_forward_between_runs_loses_no_backup(
    server: PostgresServer, tmp_path: Path
) -> None:
    summer_ends = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()  # 02:30 twice in Europe
    clock = ManualClock(time=summer_ends)
    stores = Stores([open_store(str(tmp_path / "cópias"))])
    backups = Backups(server.dsn("pequena"), stores, retention=RETENTION, clock=clock, self_init=True)

    def made() -> str:
        done = backups.run(verify=False).manifest.id
        backups.catalogue.keep_verification(
            Verification(done, datetime.now(UTC).isoformat(), 1.0, 1.0, "18.0", 1, ("restore",))
        )
        return done

    first = made()
    clock.advance(3600)
    second = made()  # the same hour of the clock on the wall
    assert first < second
    assert backups.status().ok
    clock.set_time(summer_ends - 30 * 86400)
    assert "was begun in the future: the clock of this machine" in red(backups)
    assert all(decision.keep for decision in backups.prune())
    third = made()
    assert {entry.id for entry in backups.entries()} == {first, second, third}
    clock.set_time(summer_ends + 3650 * 86400)
    assert all(decision.keep for decision in backups.prune())  # nobody said that this clock is the right one
    assert "is 87599.0 h old" in red(backups)


# Names


def test_names_with_spaces_and_accents_go_all_the_way(server: PostgresServer, tmp_path: Path) -> None:
    dsn = server.create_database("são joão 'd\"água")
    query(dsn, 'create role "zé da silva"; create schema "móveis e útil"')
    query(dsn, 'create table "móveis e útil"."cadeira, giratória" ("nº" int primary key, "é boa?" text)')
    query(dsn, 'insert into "móveis e útil"."cadeira, giratória" values (1, \'ótima\')')
    query(dsn, 'alter table "móveis e útil"."cadeira, giratória" owner to "zé da silva"')
    place = tmp_path / "cópias de segurança ♥"
    backups = Backups(dsn, Stores([open_store(str(place))]), prefix="cópia da praça", self_init=True)
    made = backups.run(verify=False).manifest
    assert made.id.startswith("cópia da praça_")
    assert made.roles == ("postgres", "zé da silva")
    assert backups.check_copies().ok
    done = backups.restore_into("de volta à praça")
    assert done.rows == 1
    there = dsn.with_(database="de volta à praça")
    assert query(
        there,
        'select "é boa?", tableowner from "móveis e útil"."cadeira, giratória", pg_tables '
        "where tablename = 'cadeira, giratória'",
    ) == [("ótima", "zé da silva")]
