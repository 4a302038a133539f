"""What the drill's faults of disks stand on: what a crash of PostgreSQL ends, and what is left of it."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from esteio.postgres.embedded import Embedded
from sispat.drill.service import DrilledService

pytestmark = [pytest.mark.fault, pytest.mark.untimed]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the server's account can pass."""
    with tempfile.TemporaryDirectory(prefix="esteio-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def until(holds: Callable[[], object], seconds: float = 120.0) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_server_that_recovers_without_ending_has_lost_all_its_sessions_and_that_is_seen(place: Path) -> None:
    """`log-full` waited in vain where the reserve came in time: the postmaster and its logger went on."""
    service = DrilledService(size=1, environment={})
    service.data = place
    server = Embedded(place / "postgres", settings={"fsync": "off", "shared_buffers": "32MB"}, reserve=0)
    server.start()
    try:
        stranger = psycopg.connect(server.dsn().conninfo)
        hit, everything = service.sessions(), service.postgres()
        assert stranger.info.backend_pid in [each.pid for each in hit]
        os.kill(stranger.info.backend_pid, signal.SIGKILL)
        until(lambda: not any(each.is_running() for each in hit))
        stranger.close()
        assert everything[0].is_running(), "it recovers by itself"
        assert any(each.is_running() for each in everything[1:]), "and its logger goes on"
    finally:
        server.stop(5.0)
