"""When transactions in a segment ended, compared with what PostgreSQL's own pg_waldump says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from esteio.backup.archive._records import commit_times, read_header
from esteio.backup.tools import Toolbox
from esteio.testing.postgres import PostgresServer

pytestmark = pytest.mark.timeout(120)

_ENDED = re.compile(
    r"rmgr: Transaction .*desc: (?:COMMIT|ABORT)(?:_PREPARED)? .*?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC"
)


@pytest.fixture(scope="module")
def segments() -> Iterator[list[Path]]:
    """Of a server that wrote small and large records, prepared and aborted transactions, and switched."""
    made = PostgresServer(settings={"max_prepared_transactions": "5", "timezone": "UTC", "wal_keep_size": "1GB"})
    made.start()
    with psycopg.connect(made.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (n int, filler text)")
        for number in range(200):
            conn.execute("INSERT INTO t VALUES (%s, repeat('x', %s))", [number, number * 40])
        with conn.transaction(force_rollback=True):
            conn.execute("INSERT INTO t VALUES (0)")
        conn.execute("SELECT pg_switch_wal()")
        conn.execute("INSERT INTO t SELECT n, repeat('y', 500) FROM generate_series(1, 60000) n")  # one, over several
        conn.execute("BEGIN")
        conn.execute("INSERT INTO t VALUES (0)")
        conn.execute("PREPARE TRANSACTION 'later'")
        conn.execute("COMMIT PREPARED 'later'")
        conn.execute("SELECT pg_logical_emit_message(true, 'big', repeat('z', 100000))")
        conn.execute("SELECT pg_switch_wal()")
        conn.execute("INSERT INTO t VALUES (0)")
    made.embedded.stop()
    yield sorted(path for path in (made.embedded.data_dir / "pg_wal").iterdir() if _is_written(path))
    made.stop()


def _is_written(path: Path) -> bool:
    """Not one that the server renamed to be written later, with its old content."""
    if len(path.name) != 24 or not path.is_file():
        return False
    header = read_header(path.read_bytes()[:100])
    return header is not None and header.position == int(path.name[16:], 16) << 24


def said_by_pg_waldump(path: Path) -> tuple[float, float] | None:
    program = Toolbox(18).directory / "pg_waldump"
    done = subprocess.run(
        [program, path], capture_output=True, text=True, env={"TZ": "UTC", "LC_ALL": "C"}, check=False
    )
    found = [datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in _ENDED.findall(done.stdout)]
    return (found[0], found[-1]) if found else None


def test_first_and_last_are_those_of_pg_waldump(segments: list[Path]) -> None:
    if not Toolbox(18).has("pg_waldump"):
        pytest.skip("pg_waldump does not run here")
    read = {path.name: commit_times(path.read_bytes(), 1) for path in segments}
    assert read == {path.name: said_by_pg_waldump(path) for path in segments}
    assert any(times is None for times in read.values()), "one is filled by a single transaction"
    assert sum(times is not None for times in read.values()) >= 3


def test_the_header_names_the_cluster_and_the_place(segments: list[Path]) -> None:
    header = read_header(segments[0].read_bytes()[:100])
    assert header is not None
    assert header.size == 1 << 24
    assert header.position == int(segments[0].name[16:], 16) << 24


@pytest.mark.parametrize("content", [b"", b"x" * 30, b"\0" * 8192, bytes(range(256)) * 64])
def test_what_is_no_segment_has_neither_header_nor_times(content: bytes) -> None:
    assert read_header(content) is None
    assert commit_times(content, 1) is None


def test_a_segment_cut_anywhere_is_read_without_an_error(segments: list[Path]) -> None:
    content = segments[0].read_bytes()
    whole = commit_times(content, 1)
    assert whole is not None
    for cut in range(0, 400_000, 7919):
        times = commit_times(content[:cut] + b"\0" * (len(content) - cut), 1)
        assert times is None or whole[0] == times[0] <= times[1] <= whole[1]
