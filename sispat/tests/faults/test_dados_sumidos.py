"""A data directory that vanishes is an accident: nothing is acknowledged into it, and nothing empty takes its place."""

from __future__ import annotations

import shutil
import time

import psutil
import pytest
from processos import Service, comando, pasta_de_dados

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(300)]


def test_a_service_whose_data_directory_is_deleted_stops_writing_and_does_not_begin_anew() -> None:
    with pasta_de_dados() as dados:
        with Service(SISPAT_DATA_DIR=str(dados)) as servico:
            servico.pronto()
            servidor = servico.postgres()[0]
            while (dados / "postgres").exists():  # the server puts files into a folder while it is being emptied
                shutil.rmtree(dados / "postgres", ignore_errors=True)
            apagado = time.monotonic()
            while servidor.is_running() and servidor.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() - apagado < 20, servico.saida
                time.sleep(0.05)
            servico.esperar(lambda: "Nenhum banco vazio toma o lugar dele" in servico.saida, 90)
            assert not (dados / "postgres" / "PG_VERSION").exists()
            assert servico.encerrar() == 0
        depois = comando("serve", "--port", "0", SISPAT_DATA_DIR=str(dados), SISPAT_BACKUP="não")
        assert depois.returncode == 1
        assert "restaure uma cópia" in depois.stderr
        assert not (dados / "postgres" / "PG_VERSION").exists()


def test_where_there_are_backups_an_empty_place_is_no_first_start_and_a_restore_brings_it_back() -> None:
    with pasta_de_dados() as dados:
        variaveis = {"SISPAT_DATA_DIR": str(dados), "BACKUP_DIR": str(dados.parent / "copias"), "SISPAT_BACKUP": "não"}
        assert comando("backup", "init", **variaveis).returncode == 0
        assert comando("migrate", **variaveis).returncode == 0
        feita = comando("backup", "run", "--no-verify", **variaveis)
        assert feita.returncode == 0, feita.stderr
        shutil.rmtree(dados)
        for argumentos in (("serve", "--port", "0"), ("migrate",), ("backup", "run")):
            recusado = comando(*argumentos, **variaveis)
            assert recusado.returncode == 1
            assert "há 1 cópias" in recusado.stderr
        assert not (dados / "postgres" / "PG_VERSION").exists()
        restaurada = comando("backup", "restore", "latest", "--in-place", "--yes", **variaveis)
        assert restaurada.returncode == 0, restaurada.stderr
        with Service(**variaveis) as servico:
            servico.pronto()
            assert servico.encerrar() == 0
