"""A full data disk is a failure of the service within seconds, and none any more when there is room; people read on."""

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
from leitor import Pessoa

from esteio.postgres import Dsn
from sispat.http.database import ROOM_KEPT

pytestmark = pytest.mark.fault


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    size = f"size={getattr(request, 'param', '1m')}"
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", tmp_path], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


async def _until(client: httpx.AsyncClient, status: int) -> tuple[float, dict[str, object]]:
    began = time.monotonic()
    while time.monotonic() - began < 60:
        answer = await client.get("/api/health")
        if answer.status_code == status:
            return time.monotonic() - began, answer.json()
        await asyncio.sleep(0.1)
    raise AssertionError(answer.text)


@pytest.mark.untimed
async def test_a_full_data_disk_is_told_and_so_is_its_end(cidade: Dsn, small_disk: Path) -> None:
    async with abrir(cidade, data_dir=small_disk) as client:
        await _until(client, 200)
        (small_disk / "full").write_bytes(bytes(1 << 20))
        seconds, report = await _until(client, 503)
        assert report["output"] == "disk:free: 0.0 % free"
        print(f"a full disk is told within {seconds:.1f} s")
        (small_disk / "full").unlink()
        await _until(client, 200)


def _fill(disk: Path, leave: int) -> Path:
    found = os.statvfs(disk)
    filler = disk / "cheio"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - leave)
    return filler


@pytest.mark.untimed
@pytest.mark.parametrize("small_disk", ["80m"], indirect=True)
async def test_on_a_full_disk_people_read_sign_in_and_keep_what_they_typed_until_there_is_room(
    cidade: Dsn, small_disk: Path
) -> None:
    (small_disk / "postgres").mkdir()  # the server is our own
    filler = _fill(small_disk, leave=ROOM_KEPT - (1 << 20))
    async with abrir(cidade, "gestor@demo.local", data_dir=small_disk) as http:
        bem = (await http.get("/api/patrimonios", params={"limit": 1})).json()["items"][0]
        novo = {"descricao": "Mesa", "valor": "1.00", "data_aquisicao": "2026-01-31"} | {
            f"{nome}_id": bem[nome]["id"] for nome in ("classe", "setor", "local", "agente")
        }
        for refused in (
            await http.post("/api/patrimonios", json=novo),  # commits together with others
            await http.patch(f"/api/patrimonios/{bem['id']}", json={"marca": "Outra"}, headers={"If-Match": "1"}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "disco-cheio"), refused.text
            assert "O disco do banco de dados está cheio. Nada foi gravado." in refused.json()["detail"]
            assert refused.headers["retry-after"] == "60"
        report = await _until(http, 503)
        assert report[1]["output"] == "disk:free: 63 MiB free of the 64 that are kept: nothing more is written"
        assert (await http.get("/api/health/ready")).status_code == 200, "who reads is still served here"
        del http.headers["Authorization"]
        pessoa = Pessoa(http)
        await pessoa.entrar("gestor")
        formulario, digitado = await pessoa.bem_preenchido()
        tela = await pessoa.mandar(formulario, **digitado)
        assert tela.estado == 503
        assert "O disco do banco de dados está cheio" in tela.texto
        filler.unlink()
        outra_vez = next(f for f in tela.formularios if digitado["descricao"] in f.valores.values())
        gravada = await pessoa.mandar(outra_vez)
        assert gravada.estado == 200
        assert digitado["descricao"] in gravada.texto
        await _until(http, 200)
