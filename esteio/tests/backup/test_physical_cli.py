"""`esteio backup` for the whole cluster: made, listed with its window, brought back; the log and the schedule kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from trial_database import initialised

from esteio.postgres.embedded import Embedded
from esteio.testing.postgres import PostgresServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer(settings={"summarize_wal": "on"})
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
def env(server: PostgresServer, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": server.dsn().url,
        "BACKUP_DIR": initialised(home / "disk"),
        "TMPDIR": str(home),
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "esteio", "backup", *arguments]


def esteio(env: dict[str, str], *arguments: str, code: int = 0) -> str:
    done = subprocess.run(command(*arguments), env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def until(true: Callable[[], object], running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def ended(running: subprocess.Popen[str]) -> str:
    running.send_signal(signal.SIGTERM)
    out, said = running.communicate(timeout=60)
    assert running.returncode == 143, said
    return out + said


def start(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command(*arguments), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_whole_way_from_a_base_to_a_moment(env: dict[str, str], server: PostgresServer, home: Path) -> None:
    archive = start(env, "archive")
    try:
        until(lambda: any((home / "disk/.wal").glob("*/*.partial")), archive)
        assert "Restored to verify it" in esteio(env, "run", "--kind", "base")
        esteio(env, "run", "--kind", "incremental", "--no-verify")
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE precious ()")
            row = conn.execute("SELECT clock_timestamp()").fetchone()
            conn.execute("DROP TABLE precious")
        assert row is not None

        def listed() -> list[dict[str, str]]:
            return json.loads(esteio(env, "list", "--json"))

        time.sleep(1.0)  # so that the first look is enough
        until(lambda: listed()[-1]["reachable"][1] > row[0].isoformat(), archive)
        assert [each["kind"] for each in listed()] == ["base", "incremental"]
    finally:
        assert "Receiving WAL" in ended(archive)
    assert "2099" in esteio(env, "restore", "--to", "2099-01-01T00:00:00Z", "--directory", str(home / "x"), code=1)
    (home / "data").mkdir()
    again = esteio(env, "restore", "--to", row[0].isoformat(), "--data-dir", str(home / "data"), "--yes")
    assert "is kept as" in again
    back = Embedded(home / "data", settings={"shared_buffers": "64MB"})
    back.start()
    try:
        with psycopg.connect(back.dsn().conninfo) as conn:
            assert conn.execute("SELECT to_regclass('precious')::text").fetchone() == ("precious",)
    finally:
        back.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "last"],
        ["--to", "last", "--directory", "x", "--data-dir", "y"],
        ["--to", "last", "--in-place"],
        ["--to", "2026-03-01 12:00:00", "--directory", "x"],
        ["--to", "yesterday", "--directory", "x"],
    ],
)
def test_a_moment_needs_a_timezone_and_a_place(env: dict[str, str], arguments: list[str]) -> None:
    assert "--to" in esteio(env, "restore", *arguments, code=2)


def test_a_directory_is_not_replaced_without_its_name(env: dict[str, str], home: Path) -> None:
    (home / "data").mkdir()
    said = esteio(env, "restore", "--to", "last", "--data-dir", str(home / "data"), code=1)
    assert "nothing was changed" in said


def test_the_schedule_is_shown_written_and_kept(env: dict[str, str], home: Path) -> None:
    shown = esteio(env, "schedule", "--timezone", "America/Sao_Paulo", "--dump", "")
    assert shown.startswith("base: 0 2 * * *, next 20")
    assert "T" not in shown.split("next")[1]
    assert "backup run --kind base" in esteio(env, "schedule", "--for", "cron")
    esteio(env, "schedule", "--for", "systemd", "--write", str(home))
    assert len(list(home.glob("*.timer"))) == 2
    assert "-m esteio backup run --kind dump" in (home / "esteio-backup-every-six-hours.service").read_text().replace(
        '"', ""
    )
    assert "five fields" in esteio(env, "schedule", "--base", "at two", code=1)
    (home / "disk").mkdir(exist_ok=True)
    (home / "disk/.schedule.json").write_text('{"every-six-hours": 0}')
    kept = start(env, "schedule", "--run", "--base", "")
    try:
        until(lambda: list(home.glob("disk/backup_*/proof.json")), kept)
        assert "is at work there" in esteio(env, "schedule", "--run", code=75)
    finally:
        ended(kept)
