"""A server on a full disk ends, starts again out of its reserve and is read; what it acknowledged is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from esteio.health import Status
from esteio.health.checks import disk as disk_check
from esteio.postgres import DiskNearlyFull, DiskRoom
from esteio.postgres.embedded import Embedded

pytestmark = [pytest.mark.fault, pytest.mark.untimed]

MB = 1 << 20
_SETTINGS = {"fsync": "off", "shared_buffers": "32MB", "min_wal_size": "32MB"}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of its own that the server's account can pass; of memory, as nothing here asks for one that is slow."""
    place = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=320m,mode=0711", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        shutil.rmtree(place)
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)
    place.rmdir()


def _fill(disk: Path, leave: int = 0) -> Path:
    """A stranger's file that takes all but `leave` bytes."""
    found = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - leave)
    return filler


def _until(condition: Callable[[], object], seconds: float = 50.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def _write_until_it_ends(server: Embedded) -> int:
    """Rows acknowledged; each comes with a megabyte of log, until the log has no room and the server ends."""
    acknowledged = 0
    with suppress(psycopg.OperationalError), psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        while True:
            conn.execute("INSERT INTO written SELECT count(*) + 1 FROM written")
            acknowledged += 1
            conn.execute("SELECT pg_logical_emit_message(true, 'filler', repeat('x', 1048576))")
    return acknowledged


def _rows(server: Embedded) -> int:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        row = conn.execute("SELECT count(*) FROM written").fetchone()
        return row[0] if row else -1


def test_a_server_that_ended_for_want_of_disk_starts_out_of_its_reserve_and_loses_nothing(small_disk: Path) -> None:
    server = Embedded(small_disk / "data", settings=_SETTINGS, reserve=16 * MB)
    reserve = small_disk / "data/pg_wal/esteio.reserve"
    try:
        server.start()
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE written (id int PRIMARY KEY)")
            shown = [conn.execute(f"SHOW {name}").fetchone() for name in ("max_wal_size", "max_slot_wal_keep_size")]
            assert shown == [("64MB",), ("64MB",)], "the log takes a part of a small disk, not a gigabyte"
        _until(reserve.exists)
        assert reserve.stat().st_blocks * 512 >= 16 * MB, "it takes room, it is no hole"
        filler = _fill(small_disk, leave=4 * MB)
        acknowledged = _write_until_it_ends(server)
        assert acknowledged > 0

        seen: list[object] = []

        def is_read() -> bool:
            try:
                if not server.is_alive():
                    server.start()  # as its supervisor does
                seen.append(_rows(server))
                return seen[-1] >= acknowledged  # type: ignore[operator]
            except psycopg.OperationalError as error:
                seen.append(str(error))
                return False

        try:
            _until(is_read)
        except AssertionError:
            log = "".join(path.read_text() for path in server.data_dir.glob("log/*"))
            pytest.fail(f"{acknowledged} acknowledged; {seen[-1]!r}, {server.is_alive()=}, {reserve.exists()=}\n{log}")
        print(f"{acknowledged} rows acknowledged; reserve {'held' if reserve.exists() else 'released'}")
        filler.unlink()
        _until(reserve.exists)
        server.stop()
        _fill(small_disk)  # not a byte is left for the next start, but for the reserve
        server.start()
        assert not reserve.exists(), "the server could not have started without it"
        assert _rows(server) >= acknowledged
        (small_disk / "filler").unlink()
        _until(reserve.exists)
        assert acknowledged <= _rows(server) <= acknowledged + 1, "the last one may have been written, unanswered"
    finally:
        server.stop(5.0)


def test_a_server_that_recovers_again_and_again_by_itself_gets_the_reserve(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Embedded(small_disk / "data", settings=_SETTINGS, reserve=16 * MB)
    reserve = small_disk / "data/pg_wal/esteio.reserve"
    try:
        server.start()
        _until(reserve.exists)
        filler = _fill(small_disk, leave=4 * MB)
        asked: list[Embedded] = []
        recovers = Embedded._recovers

        def counted(server: Embedded) -> bool:
            asked.append(server)
            return recovers(server)

        monkeypatch.setattr(Embedded, "_recovers", counted)
        _until(lambda: len(asked) >= 2)
        assert reserve.exists(), "a server that accepts connections needs no room for a start"
        monkeypatch.setattr(Embedded, "_recovers", lambda _: True)
        _until(lambda: not reserve.exists())
        filler.unlink()
        _until(reserve.exists)
    finally:
        server.stop(5.0)


@pytest.fixture
def large_disk() -> Iterator[Path]:
    """A directory on the disk that everything lies on."""
    place = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    place.chmod(0o711)
    yield place
    shutil.rmtree(place)


def _log_apart(server: Embedded, place: Path) -> None:
    """Move the log of a stopped server to another disk, as people do."""
    server.start()
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE written (id int PRIMARY KEY, text text)")
    server.stop()
    log = server.data_dir / "pg_wal"
    shutil.move(log, place / "log")
    server.account.own(place / "log")
    for path in (place / "log").rglob("*"):
        server.account.own(path)
    log.symlink_to(place / "log")
    server.start()


def test_a_log_on_a_disk_of_its_own_has_its_reserve_there(small_disk: Path, large_disk: Path) -> None:
    server = Embedded(large_disk / "data", settings=_SETTINGS, reserve=16 * MB)
    try:
        _log_apart(server, small_disk)
        reserve = small_disk / "log/esteio.reserve"
        _until(reserve.exists)
        server.stop()
        _fill(small_disk)
        server.start()
        assert not reserve.exists()
        assert _rows(server) == 0
        with pytest.raises(DiskNearlyFull):
            DiskRoom("shop", [server.data_dir, server.data_dir / "pg_wal"], keep=32 * MB).require()
    finally:
        server.stop(5.0)


def test_rows_that_find_no_room_are_refused_and_the_server_goes_on(small_disk: Path, large_disk: Path) -> None:
    server = Embedded(small_disk / "data", settings=_SETTINGS, reserve=0)
    try:
        _log_apart(server, large_disk)
        filler = _fill(small_disk, leave=1 * MB)
        insert = "INSERT INTO written SELECT n, repeat(md5(n::text), 100) FROM generate_series(%s::int, %s::int) n"
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            with pytest.raises(psycopg.errors.DiskFull):
                conn.execute(insert, [1, 100_000])
            assert conn.execute("SELECT count(*) FROM written").fetchone() == (0,), "the same session reads on"
            filler.unlink()
            conn.execute(insert, [1, 1000])
            assert conn.execute("SELECT count(*) FROM written").fetchone() == (1000,)
    finally:
        server.stop(5.0)


def test_writes_are_refused_while_the_last_bytes_are_the_servers_and_health_says_so(small_disk: Path) -> None:
    (small_disk / "pg_wal").mkdir()
    room = DiskRoom("shop", [small_disk, small_disk / "pg_wal", small_disk / "absent"], keep=64 * MB)
    room.require()
    filler = _fill(small_disk, leave=63 * MB)
    with pytest.raises(DiskNearlyFull) as refused:
        room.require()
    assert (refused.value.sqlstate, refused.value.path, refused.value.keep) == ("53100", small_disk, 64 * MB)
    assert 0 < refused.value.free <= 63 * MB
    assert str(small_disk) in str(refused.value)
    filler.unlink()
    room.require()


async def test_health_is_red_before_the_disk_is_full_where_somebody_stops_writing(small_disk: Path) -> None:
    filler = _fill(small_disk, leave=63 * MB)
    check = disk_check(small_disk, keep=64 * MB)
    result = await check.ask()
    assert result.status is Status.FAIL
    assert result.reason == "63 MiB free of the 64 that are kept: nothing more is written", result
    filler.unlink()
