"""A dump is one moment of the database, restorable by PostgreSQL's own programs, or it is nothing."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import zstandard
from trial_database import FullFrom, names, query, red

from esteio.backup import AlreadyRunning, Backups, DatabaseRefused, VerificationFailed
from esteio.backup._session import connect
from esteio.backup.dump import compare, digest_tables, for_missing_roles
from esteio.backup.packing import Encryption, Packing
from esteio.backup.store import AllStoresFailed, Stores, open_store
from esteio.backup.tools import Toolbox, environment
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer

TABLES = int(os.environ.get("ESTEIO_BACKUP_TABLES", "1000"))


def run(backups: Backups, on_dump: Callable[[], None] = lambda: None):
    """A run without its verification; `on_dump` is called once while the content is being read."""
    called = threading.Event()

    def progress(step: str, done: int, total: int, unit: str) -> None:
        if step == "database" and not called.is_set():
            called.set()
            on_dump()

    return backups.run(progress, verify=False)


def files(tmp_path: Path) -> list[str]:
    files = [path for path in (tmp_path / "cópias").rglob("*") if path.is_file()]
    files = [path for path in files if path.parent.name != "lock"]  # who worked there last
    return sorted(path.name for path in files if not path.name.startswith((".lock", "store.json")))


def test_the_manifest_says_what_is_in_the_backup(backups: Backups, database: Dsn, tmp_path: Path) -> None:
    manifest = run(backups).manifest
    assert files(tmp_path) == ["database.dump.zst", "globals.sql.zst", "manifest.json"]
    assert {name: digest.rows for name, digest in manifest.tables.items()} == {
        "public.conta": 5000,
        'public."sem chave"': 4,
        '"Outro Esquema".vazia': 0,
        "public.dividida_0": 52,
        "public.dividida_1": 48,
        "(large objects)": 1,
    }
    assert manifest.server_version.startswith("18.")
    assert manifest.tool_version.startswith("18.")
    assert manifest.extensions == {"plpgsql": "1.0"}
    assert manifest.roles == ("postgres",)
    assert manifest.database is not None
    assert manifest.database.name == database.database
    assert manifest.lsn is not None
    for part in manifest.parts:
        assert (tmp_path / "cópias" / manifest.id / part.name).stat().st_size == part.stored


def test_what_is_written_during_the_dump_is_neither_dumped_nor_counted(backups: Backups, database: Dsn) -> None:
    done = run(backups, lambda: query(database, "insert into conta values (9999, 'x'); delete from dividida"))
    assert done.manifest.tables["public.conta"].rows == 5000
    assert backups.verify().ok


def test_a_table_that_is_being_rewritten_is_waited_for_and_dumped_as_it_is_then(
    backups: Backups, database: Dsn
) -> None:
    with psycopg.connect(database.conninfo) as other:
        other.execute(
            "truncate conta; insert into conta (id, nome) values (1, 'nova')"
        )  # a snapshot from now sees no row
        threading.Timer(0.5, other.commit).start()
        assert run(backups).manifest.tables["public.conta"].rows == 1


def test_a_table_that_stays_locked_is_not_waited_for_for_ever(backups: Backups, database: Dsn, monkeypatch) -> None:
    from esteio.backup.dump import _take

    monkeypatch.setattr(_take, "_LOCK_WAIT", "100ms")
    with psycopg.connect(database.conninfo) as other:
        other.execute("lock table conta")
        with pytest.raises(DatabaseRefused, match="a table stayed locked for 100ms"):
            run(backups)


def test_the_backup_is_restored_with_nothing_but_standard_programs(
    backups: Backups, database: Dsn, postgres_server, tmp_path: Path
) -> None:
    folder = tmp_path / "cópias" / run(backups).manifest.id
    target = database.with_(database=f"{database.database} à mão")
    query(database, f'create database "{target.database}"')
    programs = Toolbox(18).directory
    # As docs/how-to/backup.md says; zstd itself where it is installed.
    unpacked = tmp_path / "database.dump"
    with (folder / "database.dump.zst").open("rb") as packed, unpacked.open("wb") as file:
        zstandard.ZstdDecompressor().copy_stream(packed, file)
    command = [programs / "pg_restore", "--exit-on-error", f"--dbname=dbname='{target.database}'", unpacked]
    subprocess.run(command, env=environment(target), check=True, capture_output=True)
    assert query(target, "select count(*), sum(x) from conta") == query(database, "select count(*), sum(x) from conta")
    assert query(target, "select last_value from seq") == [(7,)]


def test_an_encrypted_backup_keeps_its_key_file_and_opens_with_the_passphrase(database: Dsn, tmp_path: Path) -> None:
    from esteio.backup.packing import Decryption

    backups = Backups(
        database,
        Stores([open_store(str(tmp_path / "cópias"))]),
        packing=lambda: Packing(encryption=Encryption.passphrase("correto cavalo")),
        key=lambda key_file: Decryption.passphrase("correto cavalo", key_file or b""),
        self_init=True,
    )
    manifest = run(backups).manifest
    assert files(tmp_path) == ["database.dump.zst.age", "globals.sql.zst.age", "key.age", "manifest.json"]
    assert manifest.encryption == "age"
    assert backups.restore_into(f"{database.database} aberto").rows == 5105
    key_file = (tmp_path / "cópias" / manifest.id / "key.age").read_bytes()
    opened = backups.database._key(key_file)
    assert opened is not None
    again = Encryption.again(opened, key_file)  # as the documents of later backups are locked
    assert again is not None
    assert again.key_file == key_file
    assert again.fingerprint == Encryption.to([str(opened.identities[0].to_public())]).fingerprint


def test_many_tables_are_dumped_and_counted(backups: Backups, database: Dsn) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as conn:
        for number in range(TABLES):
            conn.execute(f"create table m{number} as select 1 id".encode())
    manifest = run(backups).manifest
    assert sum(name.startswith("public.m") for name in manifest.tables) == TABLES
    assert backups.restore_into(f"{database.database} muitas").rows == 5105 + TABLES


def test_an_empty_database_is_backed_up_and_verified(postgres_database: str, tmp_path: Path) -> None:
    backups = Backups(Dsn.parse(postgres_database), Stores([open_store(str(tmp_path / "cópias"))]), self_init=True)
    done = backups.run()
    assert done.manifest.tables == {}
    assert done.verification is not None
    assert done.verification.ok


# What must not be there afterwards


def test_a_statement_the_server_refuses_is_an_error_of_ours(database: Dsn) -> None:
    with pytest.raises(DatabaseRefused, match="must be owner of table"), connect(database) as conn:
        conn.execute("set role pg_monitor; drop table public.conta")


def test_an_interrupted_dump_leaves_no_backup_and_no_process(backups: Backups, database: Dsn, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(backups, interrupt)
    assert files(tmp_path) == []
    busy = "select count(*) from pg_stat_activity where application_name = 'esteio backup' and datname = current_database()"
    assert query(database, busy) == [(0,)]


def test_a_directory_that_cannot_be_written_is_named(database: Dsn) -> None:
    backups = Backups(database, Stores([open_store("/proc/no-such-place/cópias")]), self_init=True)
    with pytest.raises(Exception, match="/proc/no-such-place"):
        backups.run()


def test_two_runs_at_once_are_refused_and_the_holder_is_named(backups: Backups) -> None:
    def again() -> None:
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} is at work there"):
            backups.run()

    assert run(backups, again).manifest.parts
    assert len(backups.entries()) == 1


def test_a_store_that_fails_has_no_manifest_and_is_told(database: Dsn, tmp_path: Path) -> None:
    good, bad = open_store(str(tmp_path / "cópias")), open_store(str(tmp_path / "outra"))

    backups = Backups(database, Stores([good, FullFrom(bad, "database")]), self_init=True)
    done = run(backups)
    assert done.stores == (good.name,)
    assert not list((tmp_path / "outra").rglob("manifest.json"))
    assert any("half" in str(problem) for problem in backups.status().problems)
    only_bad = Backups(database, Stores([FullFrom(bad, "database")]), self_init=True)
    with pytest.raises(AllStoresFailed, match="no space left"):
        run(only_bad)
    assert only_bad.entries() == []  # what the first run left there was removed by the second


# Digests


def test_a_digest_sees_every_kind_of_change(database: Dsn) -> None:
    def digests():
        with psycopg.connect(database.conninfo, autocommit=True) as conn:
            return digest_tables(conn)

    before = digests()
    assert compare(before, digests()) == []
    query(database, "set timezone = 'Asia/Tokyo'; update conta set nome = nome where id = 3")
    assert compare(before, digests()) == []
    for change, said in (
        ("update conta set x = x + 1", "public.conta has as many rows (5000), but other content"),
        ('delete from "sem chave" where j is null', 'public."sem chave" has 2 rows, not 4'),
        ("create table nova ()", "public.nova is not in the manifest"),
        ('drop table "Outro Esquema".vazia', '"Outro Esquema".vazia is missing'),
        ("select lo_put(oid, 5, 'x') from pg_largeobject_metadata", "(large objects) has as many rows (1)"),
        ("select lo_put(oid, 199999, 'x') from pg_largeobject_metadata", "(large objects) has as many rows (1)"),
    ):
        query(database, change)
        assert any(sentence.startswith(said) for sentence in compare(before, digests())), change


def test_a_large_table_is_sampled_by_its_key(database: Dsn) -> None:
    query(database, "insert into conta select g, g::text from generate_series(5001, 50000) g; analyze conta")
    with psycopg.connect(database.conninfo, autocommit=True) as conn:
        found = digest_tables(conn)["public.conta"]
        assert (found.rows, found.one_in) == (50000, 50)
        conn.execute("create table outra as select * from conta order by random()")
        conn.execute("alter table outra add primary key (id)")
        assert digest_tables(conn)["public.outra"] == found


# Globals


GLOBALS = """\
CREATE ROLE "dona ç";
ALTER ROLE "dona ç" WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x';
CREATE ROLE app;
ALTER ROLE app WITH NOLOGIN;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER;
ALTER ROLE app IN DATABASE "x y" SET work_mem TO '8MB';
ALTER ROLE app SET statement_timeout TO '1s';
GRANT app TO "dona ç" WITH INHERIT TRUE GRANTED BY postgres;
GRANT pg_monitor TO postgres GRANTED BY postgres;
CREATE TABLESPACE t OWNER postgres LOCATION '/t';
"""


def test_only_roles_that_are_missing_are_made() -> None:
    assert for_missing_roles(GLOBALS, {"postgres", "dona ç", "app"}) == ""
    assert for_missing_roles(GLOBALS, {"postgres", "app"}) == (
        'CREATE ROLE "dona ç";\n'
        "ALTER ROLE \"dona ç\" WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x';\n"
        'GRANT app TO "dona ç" WITH INHERIT TRUE;\n'
    )
    assert for_missing_roles(GLOBALS, {"postgres", "dona ç"}) == (
        "CREATE ROLE app;\nALTER ROLE app WITH NOLOGIN;\nALTER ROLE app SET statement_timeout TO '1s';\n"
    )


def test_roles_settings_and_rights_come_back_on_another_server(backups: Backups, database: Dsn) -> None:
    name = database.database
    query(database, 'create role "dona ç" login password \'x\'; create role leitor; grant leitor to "dona ç"')
    try:
        query(database, 'alter table conta owner to "dona ç"; grant select on conta to leitor')
        query(database, f'alter database "{name}" set search_path to "$user", "Outro Esquema"')
        query(database, f"alter role leitor in database \"{name}\" set work_mem = '8MB'")
        query(
            database, f'revoke connect on database "{name}" from public; grant connect on database "{name}" to leitor'
        )
        query(database, f"comment on database \"{name}\" is 'é a ''nossa'''")
        run(backups)
        other = PostgresServer()
        other.start()
        try:
            elsewhere = Backups(other.dsn("nova cidade"), backups.catalogue._stores, self_init=True)
            elsewhere.restore_in_place(lambda _name: True)
            there = other.dsn("nova cidade")
            assert query(there, "select tableowner from pg_tables where tablename = 'conta'") == [("dona ç",)]
            settings = "select setrole::regrole::text, setconfig from pg_db_role_setting order by 1"
            assert query(there, settings) == query(database, settings)
            assert query(there, "select pg_has_role('dona ç', 'leitor', 'member')") == [(True,)]
            rights = (
                "select array(select unnest(datacl)::text order by 1), shobj_description(oid, 'pg_database') "
                "from pg_database where datname = current_database()"
            )
            assert query(there, rights) == query(database, rights)
        finally:
            other.stop()
    finally:
        query(
            database,
            'alter table public.conta owner to postgres; drop owned by "dona ç", leitor; drop role "dona ç", leitor',
        )


def test_a_backup_that_lost_rows_fails_its_trial(backups: Backups, database: Dsn, monkeypatch) -> None:
    from dataclasses import replace

    from esteio.backup.dump import _take

    real = _take.digest_tables

    def wrong(conn):
        found = real(conn)
        found["public.conta"] = replace(found["public.conta"], rows=5001)
        return found

    monkeypatch.setattr(_take, "digest_tables", wrong)
    with pytest.raises(VerificationFailed, match=r"public\.conta has 5000 rows, not 5001"):
        backups.run()
    [entry] = backups.entries()
    assert not entry.verified
    assert entry.verification is not None
    assert "failed its verification" in red(backups)
    assert names(database, "trial") == []


# The documents


DOCS = Path(__file__).parents[3] / "docs" / "how-to"


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_the_restore_without_our_software_works_as_documented(backups: Backups, database: Dsn, tmp_path: Path) -> None:
    page = (DOCS / "backup.md").read_text()
    script = re.search(r"## Restore without our software\n.*?```sh\n(.*?)```", page, re.S)
    assert script is not None
    folder = tmp_path / "cópias" / run(backups).manifest.id
    name = f"{database.database} sem nós"
    variables = environment(database) | {"NAME": name}
    variables["PATH"] = f"{Toolbox(18).directory}{os.pathsep}{os.environ['PATH']}"
    shell = ["bash", "-euo", "pipefail", "-c", script[1]]
    done = subprocess.run(shell, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert query(database.with_(database=name), "select count(*) from conta") == [(5000,)]
    assert "CREATE ROLE postgres" in (folder / "globals.sql").read_text()


@pytest.mark.parametrize("page", ["backup.md", "be-told.md"])
def test_every_command_in_the_documents_exists(page: str) -> None:
    from typer.main import get_command

    from esteio.cli._main import _app

    commands = get_command(_app).commands["backup"].commands  # type: ignore[attr-defined]
    known = {name: {flag for each in command.params for flag in each.opts} for name, command in commands.items()}
    for command in commands["restore"].commands.values():
        known["restore"] |= {flag for each in command.params for flag in each.opts}
    text = (DOCS / page).read_text()
    used = re.findall(r"esteio backup ([a-z]+(?:-[a-z]+)*)((?: --?[a-z-]+| [A-Za-z_]+\b)*)", text)
    assert {name for name, _ in used} <= known.keys()
    for name, rest in used:
        assert set(re.findall(r"--[a-z-]+", rest)) <= known[name], (name, rest)
    assert used
