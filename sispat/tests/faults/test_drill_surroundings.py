"""What the drill puts around its service does what it says, to that service alone, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from esteio.health import Status, checks
from sispat.drill.disks import SmallDisk
from sispat.drill.front import Front
from sispat.drill.io_limit import IoLimit
from sispat.drill.outside import FakeNames, FakeViacep
from sispat.drill.surroundings import NAMESERVER, OwnEtc

pytestmark = [pytest.mark.fault, pytest.mark.untimed]


def _skip_if(reason: str | None) -> None:
    if reason is not None:
        pytest.skip(reason)


def test_a_small_disk_is_filled_to_the_last_block_has_room_again_and_is_gone_afterwards(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disco", 64 << 20) as disk:
        _skip_if(disk.reason)
        other = os.stat(tmp_path).st_dev
        assert disk.directory.stat().st_dev != other
        disk.fill(leave=8 << 20)
        assert not disk.is_full()
        disk.fill()
        assert disk.is_full()
        with pytest.raises(OSError, match="No space left"):
            (disk.directory / "mais").write_bytes(bytes(1 << 16))
        disk.free_again()
        (disk.directory / "mais").write_bytes(bytes(1 << 16))
    assert (tmp_path / "disco").stat().st_dev == other
    assert not list((tmp_path / "disco").iterdir())


_WRITES = """import os, sys
with open(sys.argv[1], "wb", buffering=0) as file:
    input()
    for _ in range(8):
        file.write(bytes(8192))
        os.fdatasync(file.fileno())
"""


def test_a_limited_process_waits_for_its_writes_and_is_back_where_it_was_afterwards(tmp_path: Path) -> None:
    limit = IoLimit(f"sispat-test-{os.getpid()}")
    _skip_if(limit.reason)
    with SmallDisk(tmp_path / "disco", 64 << 20) as disk:
        _skip_if(disk.reason)
        file = disk.directory / "escrito"
        with subprocess.Popen([sys.executable, "-c", _WRITES, str(file)], stdin=subprocess.PIPE) as process:
            home = Path(f"/proc/{process.pid}/cgroup").read_text()
            limit.begin([process.pid], disk.device, 20)
            try:
                assert Path(f"/proc/{process.pid}/cgroup").read_text() != home
                began = time.monotonic()
                process.communicate(b"\n", timeout=30)
                assert time.monotonic() - began > 0.2, "eight writes, each waited for, at twenty a second"
            finally:
                limit.end()
        limit.begin([os.getpid()], disk.device, 20)
        limit.end()
        assert "sispat-test" not in Path("/proc/self/cgroup").read_text()


_CLOCK = """import time
print(time.time(), time.monotonic(), flush=True)
input()
print(time.time(), time.monotonic(), flush=True)
"""


def test_the_services_clock_leaps_and_no_other_nor_its_own_monotonic_one() -> None:
    with OwnEtc() as etc:
        _skip_if(etc.no_clock)
        command = etc.command([sys.executable, "-c", _CLOCK])
        # An empty environment, as our own PostgreSQL gets.
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}) as process:
            assert process.stdout is not None
            wall, monotonic = map(float, process.stdout.readline().split())
            assert abs(wall - time.time()) < 60
            etc.leap(3600)
            told, _ = process.communicate("\n", timeout=30)
        leapt, later = map(float, told.split())
        assert 3600 <= leapt - wall < 3660
        assert 0 <= later - monotonic < 60
        assert abs(time.time() - wall) < 60, "ours did not"
    assert not Path("/etc/drill-clock").exists()


async def test_a_certificate_that_expired_is_refused_and_another_one_counts_without_a_restart(
    tmp_path: Path,
) -> None:
    async with FakeViacep() as service, Front(tmp_path) as front:
        front.forward_to(service.port)
        check = checks.tls(
            "localhost", front.port, context=ssl.create_default_context(cafile=front.authority), timeout=10
        )
        assert await front.visit("/ws/01001000/json/") == 200
        assert (await check.ask()).status is Status.PASS
        front.expire()
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            await front.visit("/ws/01001000/json/")
        check.cache = 0.0
        assert "expired" in (await check.ask()).reason, "what the service asks of itself says the same"
        front.renew()
        assert await front.visit("/ws/01001000/json/") == 200
        assert (await check.ask()).status is Status.PASS
        with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self-signed"):
            await asyncio.open_connection("localhost", front.port, ssl=ssl.create_default_context())


_LOOK_UP = "import socket; print(socket.getaddrinfo('viacep.simulado.test', 80, socket.AF_INET)[0][4][0])"


def _resolvers() -> str:
    return Path("/etc/resolv.conf").read_text()


async def test_names_are_asked_of_the_drills_own_server_which_fails_as_it_is_told() -> None:
    with OwnEtc() as etc:
        _skip_if(etc.reason)
        before = _resolvers()
        try:
            names = await FakeNames(NAMESERVER).__aenter__()
        except OSError:
            pytest.skip(f"somebody else answers on {NAMESERVER}:53")
        command = etc.command([sys.executable, "-c", _LOOK_UP])

        async def look_up() -> tuple[int | None, str]:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            told, _ = await process.communicate()
            return process.returncode, told.decode()

        try:
            assert await look_up() == (0, "127.0.0.1\n")
            names.mode, names.asked = "away", 0
            code, told = await look_up()
            assert code
            assert "name resolution" in told
            assert names.asked > 0
        finally:
            await names.__aexit__()
        assert _resolvers() == before
