"""Where the address names several servers, bases are copied from a standby, and all else is asked of the primary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from esteio.backup import Backups
from esteio.backup._session import of_standby
from esteio.backup.store import Stores, open_store
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary with a table of a thousand rows, and its standby."""
    primary = PostgresServer(
        settings={"full_page_writes": "on"}
    )  # tests go without, and then no standby can give a base
    primary.start()
    standby = None
    try:
        with psycopg.connect(primary.dsn().conninfo) as conn:
            conn.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        standby = primary.standby()
        yield primary, standby
    finally:
        for each in (standby, primary):
            if each is not None:
                each.stop()


def _both(*servers: PostgresServer) -> Dsn:
    """All in one address."""
    first = servers[0].dsn()
    return first.with_(hosts=tuple(host for each in servers for host in each.dsn().hosts))


def _without_whole_pages(primary: PostgresServer, standby: PostgresServer) -> None:
    with psycopg.connect(primary.dsn().conninfo, autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET full_page_writes = off")
        conn.execute("SELECT pg_reload_conf()")
        conn.execute("SELECT pg_switch_wal()")
    end = time.monotonic() + 30
    found = None
    while found != (False,):
        for each in (primary, standby):
            with psycopg.connect(each.dsn().conninfo, autocommit=True) as conn:
                conn.execute("CHECKPOINT")
                found = conn.execute("SELECT full_page_writes FROM pg_control_checkpoint()").fetchone()
        assert time.monotonic() < end


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(180)
def test_a_base_comes_from_the_standby_and_is_whole_and_from_the_primary_when_that_is_gone(
    pair: tuple[PostgresServer, PostgresServer], tmp_path: Path
) -> None:
    primary, standby = pair
    backups = Backups(_both(standby, primary), Stores([open_store(str(tmp_path / "copies"))]), self_init=True)
    assert dict(backups.dsn.parameters)["target_session_attrs"] == "read-write"
    done = backups.run(kind="base")
    assert done.manifest.details["standby"] is True
    assert (done.verification is not None and done.verification.ok) is True, "restored, and asked"
    with psycopg.connect(primary.dsn().conninfo, autocommit=True) as conn:
        left = conn.execute("SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'esteio_base%'").fetchone()
    assert left == (0,)
    _without_whole_pages(primary, standby)
    assert of_standby(backups.dsn) == backups.dsn, "PostgreSQL would refuse it"
    standby.kill()
    again = backups.run(kind="base", verify=False)
    assert "standby" not in again.manifest.details
