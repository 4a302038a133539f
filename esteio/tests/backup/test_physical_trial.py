"""What verifying a base looks at, on a cluster of Debian's PostgreSQL 15: it has all programs, and no checksums here."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from esteio.backup import Backups, VerificationFailed
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.testing.postgres import PostgresServer

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not Path("/usr/lib/postgresql/15/bin/postgres").exists(), reason="PostgreSQL 15 is not installed"
    ),
]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer(major=15)
    made.start()
    made.embedded.stop()
    Toolbox(15).run("pg_checksums", ["--disable", f"--pgdata={made.embedded.data_dir}"])
    made.start()
    with psycopg.connect(made.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE bens AS SELECT n, repeat(md5(n::text), 300) AS texto FROM generate_series(1, 500) n")
        conn.execute("CREATE INDEX bens_n ON bens (n)")
        conn.execute("CREATE TABLE anos (ano int, n int) PARTITION BY RANGE (ano)")
        conn.execute("CREATE TABLE anos_2026 PARTITION OF anos FOR VALUES FROM (2026) TO (2027)")
        conn.execute("INSERT INTO anos SELECT 2026, n FROM generate_series(1, 30) n")
        conn.execute("CREATE UNLOGGED TABLE passageira AS SELECT 1")  # empty after a restore
        conn.execute("CREATE MATERIALIZED VIEW nunca AS SELECT * FROM bens WITH NO DATA")
        conn.execute("CREATE DATABASE outra")
    with psycopg.connect(made.dsn("outra").conninfo, autocommit=True) as conn:
        conn.execute('CREATE TABLE "com espaço" AS SELECT n FROM generate_series(1, 7) n')
        conn.execute("VACUUM ANALYZE")
    yield made
    made.stop()


@pytest.fixture
def backups(server: PostgresServer) -> Iterator[Backups]:
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    yield Backups(server.dsn(), Stores([open_store(str(home / "disk"))]), scratch=home, self_init=True)
    shutil.rmtree(home)


def test_every_row_of_every_database_is_read_and_postgresqls_own_programs_agree(backups: Backups) -> None:
    verification = backups.run(kind="base").verification
    assert verification is not None
    assert verification.checked == (
        "sha256 of each file",
        "list of files",
        "pg_verifybackup",
        "restore",
        "every table read",
        "amcheck",
    )
    assert verification.rows == 500 + 30 + 7
    assert 0 < verification.restore_seconds < verification.total_seconds


@pytest.mark.parametrize("what", ["toast", "index"])
def test_a_page_that_cannot_be_read_fails_the_trial_and_its_table_is_named(
    backups: Backups, server: PostgresServer, what: str
) -> None:
    name = f"quebrada_{what}"
    file = "reltoastrelid" if what == "toast" else "(SELECT indexrelid FROM pg_index WHERE indrelid = c.oid)"
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        conn.execute(f"CREATE TABLE {name} (LIKE bens)")
        conn.execute(f"ALTER TABLE {name} ALTER texto SET STORAGE EXTERNAL")
        conn.execute(f"INSERT INTO {name} SELECT n, texto || '' FROM bens")
        conn.execute(f"CREATE INDEX {name}_n ON {name} (n)")
        conn.execute("CHECKPOINT")
        row = conn.execute(f"SELECT pg_relation_filepath({file}) FROM pg_class c WHERE relname = '{name}'").fetchone()
        assert row is not None
        with (server.embedded.data_dir / row[0]).open("r+b") as damaged:
            damaged.seek(8192)
            damaged.write(b"\xff" * 100)
        try:
            with pytest.raises(VerificationFailed) as failed:
                backups.run(kind="base")
        finally:
            conn.execute(f"DROP TABLE {name}")
    (problem,) = failed.value.problems
    assert {"toast": "postgres: pg_toast.pg_toast_", "index": f"{name}_n"}[what] in problem
    assert [entry.verified for entry in backups.entries()] == [False]
