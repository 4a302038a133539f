"""`sispat migrate --check`: what is pending, and whether the release before could go on beside it; nothing is changed."""

from __future__ import annotations

import psycopg
import pytest
from processos import por_dentro

from esteio.postgres import Dsn
from esteio.postgres.migrations import contractions
from sispat.cli._migrate import TAKES_AWAY
from sispat.kernel import schema


def version(dsn: Dsn) -> str:
    with psycopg.connect(dsn.conninfo) as conn:
        row = conn.execute("select version_num from alembic_version").fetchone()
    assert row
    return str(row[0])


def set_back(dsn: Dsn, to: str) -> None:
    with psycopg.connect(dsn.conninfo) as conn:
        conn.execute("update alembic_version set version_num = %s", [to])


def test_a_database_that_is_up_to_date_is_left_alone(banco: Dsn) -> None:
    done = por_dentro("migrate", "--check", DATABASE_URL=banco.url)
    assert done.returncode == 0, done.stderr
    assert "já está em dia" in done.stdout


def test_what_only_adds_is_said_to_and_nothing_is_run(banco: Dsn) -> None:
    set_back(banco, "0025")
    done = por_dentro("migrate", "--check", DATABASE_URL=banco.url)
    assert done.returncode == 0, done.stderr
    assert "0025" in done.stdout
    assert "Só acrescenta" in done.stdout
    assert version(banco) == "0025"


def test_what_the_release_before_still_uses_is_named(banco: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    set_back(banco, "0025")
    monkeypatch.setattr(schema, "sql_between", lambda *_: "alter table patrimonio drop column descricao;")
    done = por_dentro("migrate", "--check", DATABASE_URL=banco.url)
    assert done.returncode == TAKES_AWAY
    assert "alter table patrimonio drop column descricao" in done.stderr
    assert version(banco) == "0025"


def test_every_migration_since_0014_only_adds() -> None:
    assert contractions(schema.sql_between("0014", schema.expected_version())) == []
