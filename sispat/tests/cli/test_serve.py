"""`sispat serve` whole: processes, a real PostgreSQL, and what goes wrong around them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from processos import Service, comando, pasta_de_dados

from esteio.testing.postgres import PostgresServer
from sispat.kernel.schema import expected_version

pytestmark = [pytest.mark.fault, pytest.mark.untimed]


@pytest.fixture
def dados() -> Iterator[str]:
    with pasta_de_dados() as pasta:
        yield str(pasta)


@pytest.fixture
def servidor() -> Iterator[PostgresServer]:
    """A server of this test alone, to be stopped and started."""
    servidor = PostgresServer()
    servidor.start()
    yield servidor
    servidor.stop()


def test_from_nothing_to_the_demo_and_again(dados: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Service("--demo", "--size", "200", SISPAT_DATA_DIR=dados) as primeiro:
        primeira = primeiro.pronto()
        assert primeiro.estado("/api/health/live") == 200
        pedido = urllib.request.Request(
            primeiro.endereco() + "/api/auth/login",
            json.dumps({"email": "admin@demo.local", "password": "demo"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(pedido, timeout=10) as resposta:
            assert resposta.status == 200
        fim = time.monotonic() + 10
        while "consulta@demo.local  senha: demo" not in primeiro.saida and time.monotonic() < fim:
            time.sleep(0.05)  # a worker may answer before the supervisor has heard of it
        assert f"SISPAT pronto em {primeiro.endereco()}" in primeiro.saida
        assert "consulta@demo.local  senha: demo" in primeiro.saida
        assert primeiro.postgres()
        assert primeiro.encerrar(signal.SIGINT) == 0
    with Service("--demo", "--size", "200", SISPAT_DATA_DIR=dados) as segundo:
        segunda = segundo.pronto()
        assert "migrado" not in segundo.saida
        assert "demonstração criada" not in segundo.saida
        assert segundo.encerrar(signal.SIGTERM) == 0
    with capsys.disabled():
        print(f"\nsispat serve --demo: first start {primeira:.1f} s, second start {segunda:.1f} s")
    assert segunda < 20


def test_a_second_service_on_the_same_data_is_refused_by_pid(dados: str) -> None:
    with Service(SISPAT_DATA_DIR=dados) as primeiro:
        primeiro.pronto()
        segundo = comando("serve", "--port", "0", SISPAT_DATA_DIR=dados)
        assert segundo.returncode == 1
        assert f"processo {primeiro.processo.pid}" in segundo.stderr
        assert primeiro.estado("/api/health/ready") == 200
        # Commands work beside the service, on its database.
        criada = comando(
            *("usuario", "criar", "--email", "a@b.br", "--nome", "A", "--papel", "gestor"),
            entrada="senha comprida\n",
            SISPAT_DATA_DIR=dados,
        )
        assert criada.returncode == 0, criada.stderr
        # And there is data of another kind now, which a demo does not mix with.
        assert primeiro.encerrar() == 0
    demo = comando("serve", "--demo", "--port", "0", SISPAT_DATA_DIR=dados)
    assert demo.returncode == 1
    assert "não está vazio" in demo.stderr


def test_a_taken_port_costs_nothing(dados: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tomada:
        porta = tomada.getsockname()[1]
        feito = comando("serve", "--port", str(porta), SISPAT_DATA_DIR=dados)
    assert feito.returncode == 1
    assert str(porta) in feito.stderr
    assert "PORT=" in feito.stderr
    assert not os.path.exists(dados), "nothing may have been started"


def test_data_of_another_major_are_not_touched(dados: str) -> None:
    assert comando("migrate", SISPAT_DATA_DIR=dados).returncode == 0
    versao = Path(dados, "postgres", "PG_VERSION")
    versao.write_text("16\n")
    feito = comando("serve", "--port", "0", SISPAT_DATA_DIR=dados)
    assert feito.returncode == 1
    assert "PostgreSQL 16" in feito.stderr
    assert "PostgreSQL 18" in feito.stderr
    assert "Traceback" not in feito.stderr


def test_sigterm_while_starting_leaves_nothing_running(dados: str) -> None:
    with Service("--demo", "--size", "2000000", SISPAT_DATA_DIR=dados) as servico:
        # Millions of assets: the start is not over while we look.
        servico.esperar(servico.postgres, 90)
        assert servico.encerrar(signal.SIGTERM) == 143
        assert "Traceback" not in servico.saida


def test_workers_wait_for_a_database_that_is_away_and_recover_alone(servidor: PostgresServer) -> None:
    dsn = servidor.create_database("ausente")
    servidor.embedded.stop()
    with Service(DATABASE_URL=dsn.url) as servico:
        servico.esperar(lambda: servico.estado("/api/health/ready") == 503, 90)
        assert servico.estado("/api/health/live") == 200
        assert "esperando pelo banco" in servico.saida
        servidor.start()
        servico.pronto()
        with psycopg.connect(dsn.conninfo) as conn:
            assert conn.execute("select version_num from alembic_version").fetchall() == [(expected_version(),)]
        assert servico.encerrar() == 0


def test_a_service_can_be_ended_while_it_waits_for_its_database() -> None:
    with Service(DATABASE_URL="postgresql://u:segredo@127.0.0.1:1/b") as servico:
        servico.esperar(lambda: "esperando pelo banco" in servico.saida, 90)
        assert servico.encerrar() == 0
        assert "segredo" not in servico.saida


def test_two_services_start_at_once_on_one_fresh_database(servidor: PostgresServer) -> None:
    dsn = servidor.create_database("dividido")
    with (
        Service("--workers", "1", DATABASE_URL=dsn.url) as um,
        Service("--workers", "1", DATABASE_URL=dsn.url) as outro,
    ):
        um.pronto()
        outro.pronto()
        with psycopg.connect(dsn.conninfo) as conn:
            assert conn.execute("select version_num from alembic_version").fetchall() == [(expected_version(),)]
        assert (um.encerrar(), outro.encerrar()) == (0, 0)


def test_a_database_of_our_own_that_dies_is_started_again(dados: str) -> None:
    with Service(SISPAT_DATA_DIR=dados) as servico:
        servico.pronto()
        servico.postgres()[0].kill()
        servico.esperar(lambda: "PostgreSQL died" in servico.saida, 90)
        servico.pronto()
        assert servico.encerrar() == 0
