"""The service keeps its own backups: made and proven by itself, and everything back from them when all else is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from carga import Carga, corpo_de_bem, criados_sob_carga, entrar, trabalhadores
from processos import SEM_LIMITES, Service, comando, pasta_de_dados

from esteio.postgres import Dsn

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(240)]


class ComCopias(Service):
    """A service that makes backups, in a directory beside its data."""

    def __init__(self, dados: Path, **variaveis: str) -> None:
        self.dados = dados
        self.variaveis = {"SISPAT_DATA_DIR": str(dados), "BACKUP_DIR": str(dados.parent / "copias")}
        comando("backup", "init", **self.variaveis)
        super().__init__("--demo", "--size", "150", SISPAT_BACKUP="sim", **self.variaveis | SEM_LIMITES | variaveis)

    def operador(self) -> dict[str, Any]:
        """What the operator says; empty while it says nothing."""
        try:
            return dict(json.loads((self.dados / "operator.json").read_text()))
        except (OSError, ValueError):
            return {}

    def copias(self) -> list[dict[str, Any]]:
        return list(json.loads(comando("backup", "list", "--json", **self.variaveis).stdout))

    def saude(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.endereco() + "/api/health", timeout=10) as resposta:
            return dict(json.load(resposta))

    def sql(self, pergunta: str) -> Any:
        url = json.loads((self.dados / "sispat.lock").read_text())["url"]
        with psycopg.connect(Dsn.parse(url).with_(user="postgres").conninfo, autocommit=True) as conn:
            linha = conn.execute(pergunta).fetchone()
        assert linha is not None
        return linha[0]

    def arquivado(self) -> bool:
        """Whether all that is committed is in the archive."""
        return bool(self.sql("select bool_and(restart_lsn >= pg_current_wal_flush_lsn()) from pg_replication_slots"))

    def matar_tudo(self) -> None:
        """SIGKILL to every process at once."""
        todos = [self.processo, *self.descendentes()]
        for processo in todos:
            with contextlib.suppress(ProcessLookupError):
                os.kill(processo.pid, 9)
        psutil.wait_procs(todos, timeout=30)


@pytest.fixture(scope="module")
def servico() -> Iterator[ComCopias]:
    with pasta_de_dados() as dados:
        # A dump was due while nobody was here; the base is made because there is none.
        (dados.parent / "copias").mkdir()
        (dados.parent / "copias/.schedule.json").write_text('{"every-six-hours": 0}')
        with ComCopias(dados) as real:
            real.pronto()
            yield real


def test_a_base_and_what_was_missed_are_made_by_themselves_once_and_proven(servico: ComCopias) -> None:
    servico.esperar(lambda: servico.saida.count("finished after") == 2, 120)
    copias = servico.copias()
    assert sorted((copia["kind"], copia["verified"]) for copia in copias) == [("base", True), ("dump", True)]
    servico.esperar(lambda: servico.operador().get("found") == [], 60)
    assert servico.saude()["checks"]["backup:age"][0]["status"] == "pass"
    assert comando("backup", "status", **servico.variaveis).returncode == 0


async def test_what_is_saved_is_in_the_archive_at_once_also_after_the_operator_was_killed(servico: ComCopias) -> None:
    async with entrar(servico) as cliente:
        corpo = await corpo_de_bem(cliente)
        assert (await cliente.post("/api/patrimonios", json=corpo)).status_code == 201
        await asyncio.to_thread(servico.esperar, servico.arquivado, 30)
        trabalham = [processo.pid for processo in trabalhadores(servico)]
        morto = servico.operador()["pid"]
        os.kill(morto, 9)
        await asyncio.to_thread(servico.esperar, lambda: servico.operador().get("pid") not in (None, morto), 60)
        assert (await cliente.post("/api/patrimonios", json=corpo)).status_code == 201
        await asyncio.to_thread(servico.esperar, servico.arquivado, 60)
        assert [processo.pid for processo in trabalhadores(servico)] == trabalham
    assert "service operator is up again" in servico.saida


async def test_kill_9_of_everything_and_the_loss_of_all_data_lose_no_asset_that_was_acknowledged(
    servico: ComCopias, capsys: pytest.CaptureFixture[str]
) -> None:
    async with entrar(servico) as cliente, Carga(cliente, await corpo_de_bem(cliente), taxa=50) as carga:
        await asyncio.sleep(2.0)
        servico.matar_tudo()
    assert carga.criados
    shutil.rmtree(servico.dados)
    (servico.dados.parent / "copias/.schedule.json").unlink()  # as if the base had not been made a minute ago
    inicio = time.monotonic()
    banco = servico.dados / "postgres"
    volta = await asyncio.to_thread(
        comando, *("backup", "restore", "--to", "last", "--data-dir", str(banco), "--yes"), **servico.variaveis
    )
    restaurado = time.monotonic() - inicio
    assert volta.returncode == 0, volta.stderr
    with ComCopias(servico.dados) as novo:
        await asyncio.to_thread(novo.pronto)
        de_pe = time.monotonic() - inicio
        async with entrar(novo) as cliente:
            perdidos = set(carga.criados) - await criados_sob_carga(cliente)
        # The log that is archived from now on is of another history, so it begins with a base of its own.
        await asyncio.to_thread(novo.esperar, lambda: "wanted-base begins" in novo.saida, 60)
        assert await asyncio.to_thread(novo.encerrar) == 0
        assert "Traceback" not in novo.saida
    with capsys.disabled():
        print(
            f"\n    kill -9 of everything, data directory gone: {len(perdidos)} of {len(carga.criados)} acknowledged assets "
            f"lost; restored after {restaurado:.1f} s, serving after {de_pe:.1f} s"
        )
    assert len(perdidos) <= carga.taxa / 10  # what was acknowledged in the last second may have been on its way


def test_the_first_start_makes_and_proves_its_backups_in_its_own_directory_and_in_a_named_one_only_after_init() -> None:
    with pasta_de_dados() as dados:
        variaveis = {"SISPAT_DATA_DIR": str(dados), "SISPAT_BACKUP": "sim"}
        with Service("--demo", "--size", "150", **variaveis) as servico:
            servico.pronto()
            servico.esperar(lambda: "base finished after" in servico.saida, 120)
            assert servico.encerrar() == 0
        assert [each["verified"] for each in json.loads(comando("backup", "list", "--json", **variaveis).stdout)] == [
            True
        ]
        variaveis["BACKUP_DIR"] = str(dados.parent / "mnt")
        with Service(**variaveis) as servico:
            servico.pronto()
            servico.esperar(lambda: "`backup init`" in servico.saida, 60)
            assert servico.encerrar() == 0
        assert not (dados.parent / "mnt").exists()


@pytest.fixture
def disco_cheio() -> Iterator[Path]:
    """A data directory beside a backup directory that has room for less than one file of the log."""
    with pasta_de_dados() as dados:
        copias = dados.parent / "copias"
        copias.mkdir()
        mount, umount = shutil.which("mount"), shutil.which("umount")
        if not mount or not umount:
            pytest.skip("no mount")
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", copias], capture_output=True).returncode:
            pytest.skip("not allowed to mount")
        try:
            yield dados
        finally:
            subprocess.run([umount, copias], check=True)


def test_a_full_disk_under_the_backups_is_told_while_the_service_goes_on(disco_cheio: Path) -> None:
    with ComCopias(disco_cheio) as servico:
        servico.pronto()
        servico.esperar(lambda: "No space left on device" in servico.saida, 60)
        servico.esperar(lambda: "wal archive does not run" in str(servico.operador().get("amiss")), 60)
        assert servico.saude()["status"] == "warn"
        assert servico.estado("/api/health/ready") == 200
        assert servico.encerrar() == 0
