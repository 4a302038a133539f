"""A data disk that is full is a failure of the service within seconds, and none any more when there is room."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aplicacao import abrir

from esteio.postgres import Dsn

pytestmark = pytest.mark.fault


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


async def _until(client: httpx.AsyncClient, status: int) -> tuple[float, dict[str, object]]:
    began = time.monotonic()
    while time.monotonic() - began < 30:
        answer = await client.get("/api/health")
        if answer.status_code == status:
            return time.monotonic() - began, answer.json()
        await asyncio.sleep(0.1)
    raise AssertionError(answer.text)


async def test_a_full_data_disk_is_told_and_so_is_its_end(cidade: Dsn, small_disk: Path) -> None:
    async with abrir(cidade, data_dir=small_disk) as client:
        await _until(client, 200)
        (small_disk / "full").write_bytes(bytes(1 << 20))
        seconds, report = await _until(client, 503)
        assert report["output"] == "disk:free: 0.0 % free"
        print(f"a full disk is told within {seconds:.1f} s")
        (small_disk / "full").unlink()
        await _until(client, 200)
