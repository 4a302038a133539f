"""A migration beside a running service: nothing big is blocked unsaid, nobody queues behind it, one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from esteio.postgres import Dsn
from esteio.postgres.migrations import (
    KEY,
    Migration,
    MigrationBlocked,
    MigrationError,
    MigrationInProgress,
    MigrationRules,
    MigrationTooLong,
    UnsafeMigration,
    migrate,
)
from esteio.postgres.migrations._hazards import hazards, index_built_beside
from esteio.postgres.migrations._statements import statements
from esteio.testing import ManualClock

_SMALL = MigrationRules(big_rows=100, lock_timeout=0.1)
_TABLES = """
CREATE TABLE big (id int PRIMARY KEY, name varchar(20), note text, amount numeric, owner_id int);
INSERT INTO big SELECT n, 'name', NULL, n, n FROM generate_series(1, 1000) n;
CREATE TABLE little (id int PRIMARY KEY, name text);
INSERT INTO little VALUES (1, 'a');
CREATE TABLE "Odd; name" AS SELECT n FROM generate_series(1, 1000) n;
CREATE TABLE parted (id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (90);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (90) TO (200);
INSERT INTO parted SELECT generate_series(0, 150);
CREATE MATERIALIZED VIEW seen AS SELECT * FROM generate_series(1, 1000);
ANALYZE;
"""


@pytest.fixture
def database(postgres_database: str) -> str:
    with psycopg.connect(Dsn.parse(postgres_database).conninfo, autocommit=True) as conn:
        conn.execute(_TABLES.encode())
    return postgres_database


@pytest.fixture
def other(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else at the same database."""
    with psycopg.connect(Dsn.parse(database).conninfo) as conn:
        yield conn


def _migrate(database: str, sql: str, *, rules: MigrationRules = _SMALL, blocking: str | None = None) -> list[str]:
    return migrate(database, [Migration("change", sql, blocking)], rules=rules)


def _value(database: str, query: str) -> Any:
    with psycopg.connect(Dsn.parse(database).conninfo) as conn:
        row = conn.execute(query.encode()).fetchone()
        return row and row[0]


# What the text tells


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("a; b;; ", ["a", "b"]),
        ("select ';', E'\\';', \";\" from t; x", ["select ';', E'\\';', \";\" from t", "x"]),
        ("do $x$ begin; end $x$; y", ["do $x$ begin; end $x$", "y"]),
        ("-- a;\nb /* c; /* d; */ */; e", ["-- a;\nb /* c; /* d; */ */", "e"]),
        (
            "create function f() returns int begin atomic select 1; select case when true then 1 end; end; g",
            ["create function f() returns int begin atomic select 1; select case when true then 1 end; end", "g"],
        ),
        ("select 'never ends; ", ["select 'never ends;"]),
        ("/* never ends; ", []),
        ("", []),
    ],
)
def test_a_semicolon_ends_a_statement_only_where_postgresql_thinks_so(sql: str, texts: list[str]) -> None:
    assert [statement.text for statement in statements(sql)] == texts


@pytest.mark.parametrize(
    ("sql", "relations"),
    [
        ('ALTER TABLE IF EXISTS ONLY public."A.b" * DROP COLUMN x, DROP CONSTRAINT y', ['public."A.b"']),
        ("alter table t drop x, rename to y", ["t", "t"]),
        ("alter table t rename constraint a to b", []),
        ("alter table t add check (a > 0)", ["t"]),
        ("alter table t add constraint c check (a > 0) not valid", []),
        ("alter table t add constraint c foreign key (a, b) references u (a, b)", ["t"]),
        ("alter table t add constraint c unique using index i", []),
        ("alter table t add primary key (a)", ["t"]),
        ("alter table t add column a int default 0 not null", []),
        ("alter table t add a text default current_user, add b int references u", []),
        ("alter table t add column if not exists a bigserial", ["t"]),
        ("alter table t add a int generated always as (b + 1) stored", ["t"]),
        ("alter table t add a int generated always as (b + 1) virtual", []),
        ("alter table t add a uuid default gen_random_uuid()", ["t"]),
        ("alter table t add a int check (a > 0)", ["t"]),
        ("alter table t add a numeric(10, 2) default 1.5 unique", ["t"]),
        ("alter table t set (fillfactor = 50), set unlogged", ["t"]),
        ("alter table t alter a set default now(), alter column b drop not null", []),
        ("alter table t alter a type int using a::int, alter b set data type text", ["t", "t"]),
        ("create unique index on only t (a, lower(b))", ["t"]),
        ("create index concurrently i on t (a)", []),
        ("create table index (a int)", []),
        ("drop table if exists a, b.c cascade", ["a", "b.c"]),
        ("truncate table only a, b", ["a", "b"]),
        ("lock table a in share mode", ["a"]),
        ("vacuum full t", ["t"]),
        ("vacuum (full, verbose) t", ["t"]),
        ("vacuum t", []),
        ("cluster verbose t using i", ["t"]),
        ("reindex (verbose) table t", ["t"]),
        ("reindex index concurrently i", []),
        ("refresh materialized view v", ["v"]),
        ("insert into t values ('drop table t')", []),
    ],
)
def test_hazards_are_read_from_the_text(sql: str, relations: list[str]) -> None:
    (statement,) = statements(sql)
    assert [hazard.relation for hazard in hazards(statement)] == relations


def test_a_name_or_literal_is_no_keyword() -> None:
    (statement,) = statements("""alter table t add "check" text default 'generated always as (gen_random_uuid())'""")
    assert hazards(statement) == []
    (statement,) = statements('create index concurrently if not exists "I i" on t (a)')
    assert index_built_beside(statement) == '"I i"'


# What the server says


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("ALTER TABLE big ALTER id TYPE bigint", "rewritten"),
        ("ALTER TABLE big ALTER name TYPE varchar(10)", "rewritten"),
        ("ALTER TABLE big ADD token uuid DEFAULT gen_random_uuid()", "rewritten"),
        ("ALTER TABLE big ALTER amount SET NOT NULL", "read from end to end"),
        ("ALTER TABLE big ADD FOREIGN KEY (owner_id) REFERENCES big", "read from end to end"),
        ("CREATE INDEX ON big (name)", "cannot|could not be written to"),
        ("DROP TABLE big", "lose what running programs"),
        ("ALTER TABLE public.big RENAME note TO remark", "lose what running programs"),
        ("TRUNCATE little, big", "lose what running programs"),
        ("REINDEX INDEX big_pkey", "index is built"),
        ('ALTER TABLE "Odd; name" ADD UNIQUE (n)', "index is built"),
        ("CREATE INDEX ON parted (id)", "index is built"),
        ("ALTER TABLE parted_1 ALTER id TYPE bigint", "rewritten"),
        ("REFRESH MATERIALIZED VIEW seen", "rewritten"),
    ],
)
def test_a_statement_that_would_block_a_big_table_is_refused_before_it_runs(
    database: str, sql: str, problem: str
) -> None:
    with pytest.raises(UnsafeMigration, match=problem) as caught:
        _migrate(database, f"CREATE TABLE beside (); {sql}")
    assert caught.value.statement == sql
    assert "rows" in caught.value.size
    assert "declare it" in str(caught.value)
    assert _value(database, "SELECT to_regclass('beside')") is None, "the whole migration is undone"


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("DO $$ BEGIN EXECUTE 'ALTER TABLE big ALTER id TYPE bigint'; END $$", "was rewritten"),
        ("DO $$ BEGIN EXECUTE 'DROP TABLE big CASCADE'; END $$", "was dropped"),
        ("DO $$ BEGIN EXECUTE 'ALTER TABLE big ALTER amount SET NOT NULL'; END $$", "AccessExclusiveLock"),
        ("DO $$ BEGIN EXECUTE 'CREATE INDEX ON big (name)'; END $$", "ShareLock"),
        ("CREATE DOMAIN few AS int CHECK (VALUE < 5); ALTER TABLE big ADD f few DEFAULT 1", "was rewritten"),
        ("ALTER TABLE big ADD flag int; UPDATE big SET flag = 1", "AccessExclusiveLock"),
        ("ALTER TABLE big ADD CONSTRAINT c CHECK (id > 0) NOT VALID; ALTER TABLE big VALIDATE CONSTRAINT c", "Lock"),
    ],
)
def test_what_only_the_doing_tells_is_found_before_it_is_committed(database: str, sql: str, problem: str) -> None:
    with pytest.raises(UnsafeMigration, match=problem):
        _migrate(database, sql)
    assert _value(database, "SELECT count(*) FROM esteio_migration") == 0
    assert _value(database, "SELECT count(*) FROM big WHERE id > 0") == 1000


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE big ADD a int DEFAULT 0 NOT NULL, ADD b timestamptz DEFAULT now()",
        "ALTER TABLE big ALTER name TYPE text",
        "ALTER TABLE big ALTER name TYPE varchar(40)",
        "ALTER TABLE big ALTER id SET NOT NULL",
        "ALTER TABLE big ADD CONSTRAINT c CHECK (amount IS NOT NULL) NOT VALID",
        "CREATE INDEX CONCURRENTLY by_name ON big (name)",
        "UPDATE big SET note = ''",
        "ALTER TABLE little ALTER id TYPE bigint, ADD u uuid DEFAULT gen_random_uuid(); CREATE INDEX ON little (name)",
        "CREATE TABLE fresh AS SELECT * FROM big; CREATE INDEX ON fresh (id); ALTER TABLE fresh ALTER id TYPE bigint",
        "DROP TABLE little",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT '100 %', '%s'",
    ],
)
def test_what_is_brief_or_touches_nothing_big_passes(database: str, sql: str) -> None:
    assert _migrate(database, sql) == ["change"]
    assert _migrate(database, sql) == [], "once is enough"


def test_the_advised_way_to_not_null_is_let_through(database: str) -> None:
    steps = [
        "ALTER TABLE big ADD CONSTRAINT known CHECK (amount IS NOT NULL) NOT VALID",
        "ALTER TABLE big VALIDATE CONSTRAINT known",
        "ALTER TABLE big ALTER amount SET NOT NULL",
        "ALTER TABLE big DROP CONSTRAINT known",
    ]
    migrate(database, [Migration(str(number), step) for number, step in enumerate(steps)], rules=_SMALL)
    assert _value(
        database, "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'big'::regclass AND attname = 'amount'"
    )


def test_a_declared_migration_may_block(database: str, caplog: pytest.LogCaptureFixture) -> None:
    _migrate(database, "ALTER TABLE big ALTER id TYPE bigint", blocking="at night, with the service stopped")
    assert "at night, with the service stopped" in caplog.text
    with pytest.raises(ValueError, match="a sentence"):
        migrate(database, [Migration("x", "SELECT 1", " ")])


def test_a_statement_that_changes_definitions_is_stopped_by_the_server_in_time(database: str) -> None:
    rules = MigrationRules(big_rows=100, hold=0.2)
    began = time.monotonic()
    with pytest.raises(MigrationTooLong, match=r"ran for 0\.2 s"):
        _migrate(database, "DO $$ BEGIN PERFORM pg_sleep(30); END $$", rules=rules)
    assert time.monotonic() - began < 10
    assert _migrate(database, "SELECT pg_sleep(0.4)", rules=rules) == ["change"], "this one keeps nobody waiting"


# Others at the same database


@pytest.mark.fault
@pytest.mark.untimed
def test_a_migration_does_not_make_others_queue_behind_a_long_transaction(
    database: str, other: psycopg.Connection[Any]
) -> None:
    other.execute("SELECT count(*) FROM big")  # a report that goes on and on
    slowest = 0.0
    with ThreadPoolExecutor(1) as pool:
        migration = pool.submit(_migrate, database, "ALTER TABLE big ADD flag int")
        with psycopg.connect(Dsn.parse(database).conninfo, autocommit=True) as reader:
            reader.execute("SET statement_timeout = '20s'")  # or it would wait with the migration for the report
            until = time.monotonic() + 2.0
            while time.monotonic() < until:
                began = time.monotonic()
                reader.execute("SELECT count(*) FROM big")
                slowest = max(slowest, time.monotonic() - began)
        assert not migration.done(), "the table is still in use"
        other.commit()
        assert migration.result(30) == ["change"]
    assert slowest < 5.0, "a reader waited for longer than lock_timeout allows"


@pytest.mark.fault
@pytest.mark.untimed
def test_a_migration_gives_up_and_names_the_oldest_transaction(database: str, other: psycopg.Connection[Any]) -> None:
    other.execute("SET application_name = 'monthly report'")
    other.execute("SELECT count(*) FROM big")
    rules = MigrationRules(big_rows=100, lock_timeout=0.05, patience=0.5)
    with pytest.raises(MigrationBlocked, match="monthly report") as caught:
        _migrate(database, "CREATE TABLE beside (); ALTER TABLE big ADD flag int", rules=rules)
    assert caught.value.attempts > 1
    assert f"pid {other.info.backend_pid}" in caught.value.oldest
    assert _value(database, "SELECT to_regclass('beside')") is None


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.parametrize("sql", ["VACUUM FULL little", "ALTER TABLE little ADD x int", "TRUNCATE little"])
def test_whatever_locks_others_out_gives_up_waiting(database: str, other: psycopg.Connection[Any], sql: str) -> None:
    other.execute("SELECT count(*) FROM little")
    rules = MigrationRules(lock_timeout=0.05, patience=0.2)
    with pytest.raises(MigrationBlocked):
        _migrate(database, sql, rules=rules)
    other.commit()
    assert other.execute("SELECT count(*) FROM little").fetchone() == (1,)


def test_of_two_migrators_one_works_and_the_other_finds_it_done(database: str) -> None:
    changes = [Migration("slow", "CREATE TABLE once (); SELECT pg_sleep(0.3)")]
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(migrate, database, changes) for _ in range(2)]
        assert sorted(done.result(30) for done in both) == [[], ["slow"]]


def test_a_migrator_that_waits_does_not_hold_up_an_index_built_beside(database: str) -> None:
    index = Migration("index", "CREATE INDEX CONCURRENTLY by_name ON big (name)")
    with psycopg.connect(Dsn.parse(database).conninfo, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [KEY])
        waiting = threading.Thread(target=migrate, args=(database, [index]), kwargs={"rules": _SMALL})
        waiting.start()
        first.execute("SET statement_timeout = '10s'")
        first.execute("CREATE INDEX CONCURRENTLY by_amount ON big (amount)")
        first.execute("SELECT pg_advisory_unlock_all()")
        waiting.join(30)
    assert _value(database, "SELECT to_regclass('by_name')") is not None


def test_the_wait_for_another_migrator_ends_and_names_it(database: str, other: psycopg.Connection[Any]) -> None:
    other.execute("SET application_name = 'a deploy'")
    other.execute("SELECT pg_advisory_lock(%s)", [KEY])
    clock = ManualClock()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            migrate(database, [], rules=MigrationRules(wait=60.0), clock=clock)
        except BaseException as error:  # noqa: BLE001 - looked at below
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until = time.monotonic() + 30
    while thread.is_alive() and time.monotonic() < until:
        clock.advance(1.0)
        thread.join(0.01)
    (error,) = raised
    assert isinstance(error, MigrationInProgress)
    assert (error.waited, "a deploy" in error.holder, f"pid {other.info.backend_pid}" in str(error)) == (
        60.0,
        True,
        True,
    )


def test_an_index_left_invalid_by_an_interrupted_build_is_built_anew(database: str) -> None:
    with psycopg.connect(Dsn.parse(database).conninfo, autocommit=True) as conn:
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("CREATE UNIQUE INDEX CONCURRENTLY by_name ON big (name)")
        conn.execute("UPDATE big SET name = id::text")
    _migrate(database, "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS by_name ON big (name)")
    assert _value(database, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass")


def test_a_migration_changed_after_it_ran_is_refused(database: str) -> None:
    _migrate(database, "SELECT 1")
    with pytest.raises(MigrationError, match="another wording"):
        _migrate(database, "SELECT 2")


def test_what_runs_alone_is_not_mixed(database: str) -> None:
    with pytest.raises(MigrationError, match="a migration of its own"):
        _migrate(database, "CREATE INDEX CONCURRENTLY i ON big (name); SELECT 1")


@pytest.mark.parametrize("name", ["big_rows", "lock_timeout", "patience", "hold", "wait"])
def test_rules_without_an_end_are_refused(name: str) -> None:
    for value in (0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=name):
            MigrationRules(**{name: value})  # type: ignore[arg-type]


# Alembic

_ENV = """
from alembic import context
from esteio.postgres.migrations import MigrationRules
from esteio.postgres.migrations.alembic import run_online
given = context.config.attributes
rest = {name: given[name] for name in ("each", "version_table") if name in given}
given["versions"] = run_online(context, given["dsn"], rules=given["rules"], **rest)
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(_ENV)
    return tmp_path


def _revise(scripts: Path, *bodies: str) -> None:
    for number, body in enumerate(bodies, 1):
        (scripts / "versions" / f"{number}.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            "from esteio.postgres.migrations.alembic import blocking, execute\n"
            f"revision, down_revision = '{number}', {str(number - 1) if number > 1 else None!r}\n"
            f"def upgrade():\n    {body}\n"
        )


def _upgrade(scripts: Path, database: str, **attributes: Any) -> tuple[str, str]:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes.update(dsn=database, rules=attributes.pop("rules", _SMALL), **attributes)
    command.upgrade(config, "head")
    versions: tuple[str, str] = config.attributes["versions"]
    return versions


def test_alembics_revisions_are_watched(scripts: Path, database: str) -> None:
    _revise(
        scripts,
        "op.add_column('big', sa.Column('flag', sa.Integer))",
        "op.alter_column('big', 'id', type_=sa.BigInteger)",
    )
    with pytest.raises(UnsafeMigration, match="ALTER TABLE big ALTER COLUMN id TYPE BIGINT"):
        _upgrade(scripts, database)
    assert _value(database, "SELECT version_num FROM alembic_version") == "1", "each revision is committed by itself"
    _revise(scripts, "pass", "op.execute(\"DO $$ BEGIN EXECUTE 'ALTER TABLE big ALTER id TYPE bigint'; END $$\")")
    with pytest.raises(UnsafeMigration, match="was rewritten"):
        _upgrade(scripts, database)
    _revise(
        scripts,
        "pass",
        "\n    with blocking('nobody works at night'): op.alter_column('big', 'id', type_=sa.BigInteger)",
    )
    assert _upgrade(scripts, database) == ("1", "2")


def test_alembics_sql_is_written_without_a_database(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _revise(scripts, "op.create_table('a', sa.Column('x', sa.Integer))", "execute('SELECT 1')")
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes.update(dsn="postgresql://nobody@/nothing", rules=_SMALL)
    command.upgrade(config, "head", sql=True)
    written = capsys.readouterr().out
    assert "CREATE TABLE a" in written
    assert "SELECT 1;" in written


_NOT_VALID = "ALTER TABLE big ADD CONSTRAINT named CHECK (name <> 'x') NOT VALID"
_VALIDATE = "ALTER TABLE big VALIDATE CONSTRAINT named"


def test_pending_migrations_hold_no_lock_over_each_other_so_a_constraint_is_validated_in_its_own(database: str) -> None:
    assert migrate(database, [Migration("1", _NOT_VALID), Migration("2", _VALIDATE)], rules=_SMALL) == ["1", "2"]
    both = f"{_NOT_VALID}; {_VALIDATE}".replace("named", "other")
    with pytest.raises(UnsafeMigration, match="committed one by one"):
        migrate(database, [Migration("3", both)], rules=_SMALL)


def test_alembics_revisions_in_one_transaction_cannot_validate_in_their_own(scripts: Path, database: str) -> None:
    _revise(scripts, f"execute({_NOT_VALID!r})", f"execute({_VALIDATE!r})")
    with pytest.raises(UnsafeMigration, match="each=True"):
        _upgrade(scripts, database, each=False)
    assert _upgrade(scripts, database) == ("", "2")


def test_alembics_revisions_may_be_all_or_none(scripts: Path, database: str) -> None:
    _revise(scripts, "op.create_table('a', sa.Column('x', sa.Integer))", "execute('CREATE TABLE b (); DROP TABLE big')")
    with pytest.raises(UnsafeMigration, match="DROP TABLE big"):
        _upgrade(scripts, database, each=False)
    assert _value(database, "SELECT to_regclass('a')") is None
    _revise(
        scripts, "op.create_table('a', sa.Column('x', sa.Integer))", "execute('CREATE TABLE b (); SELECT \\'%s\\'')"
    )
    assert _upgrade(scripts, database, each=False) == ("", "2")
    assert _upgrade(scripts, database, each=False) == ("2", "2")
    (scripts / "versions/1.py").write_text("revision, down_revision = '1', None\ndef upgrade(): pass\n")
    (scripts / "versions/2.py").unlink()
    assert _upgrade(scripts, database, version_table="elsewhere") == ("", "1")


def test_alembic_builds_an_index_beside(scripts: Path, database: str) -> None:
    _revise(
        scripts,
        "\n    with op.get_context().autocommit_block():"
        " op.create_index('by_name', 'big', ['name'], postgresql_concurrently=True)",
    )
    assert _upgrade(scripts, database) == ("", "1")
    assert _value(database, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass")


@pytest.mark.fault
@pytest.mark.untimed
def test_alembic_tries_again_while_a_table_is_locked(
    scripts: Path, database: str, other: psycopg.Connection[Any]
) -> None:
    _revise(
        scripts, "op.create_table('a', sa.Column('x', sa.Integer))", "op.add_column('big', sa.Column('f', sa.Integer))"
    )
    other.execute("SELECT count(*) FROM big")
    with pytest.raises(MigrationBlocked):
        _upgrade(scripts, database, each=False, rules=MigrationRules(lock_timeout=0.05, patience=0.3))
    with ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(_upgrade, scripts, database, each=False)
        time.sleep(0.5)
        assert not upgrade.done()
        other.commit()
        assert upgrade.result(30) == ("", "2")


def test_alembic_stops_what_takes_too_long(scripts: Path, database: str) -> None:
    _revise(scripts, "op.execute('DO $$ BEGIN PERFORM pg_sleep(30); END $$')")
    with pytest.raises(MigrationTooLong):
        _upgrade(scripts, database, rules=MigrationRules(hold=0.2))
