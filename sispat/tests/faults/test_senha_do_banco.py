"""A DATABASE_URL with the wrong password: said without showing it, and right again as soon as the password is."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from processos import Service

from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(120)]


@pytest.fixture
def com_senha() -> Iterator[tuple[PostgresServer, Dsn]]:
    """A server that asks the role `dona` for a password, and the address of her database."""
    servidor = PostgresServer()
    servidor.start()
    try:
        regras = servidor.embedded.data_dir / "pg_hba.conf"
        regras.write_text("local all dona scram-sha-256\n" + regras.read_text())
        with psycopg.connect(servidor.dsn().conninfo, autocommit=True) as conn:
            conn.execute("select pg_reload_conf()")
            conn.execute("create role dona login createrole password 'a-antiga'")
            conn.execute("create database senhas owner dona")
        yield servidor, servidor.dsn("senhas", "dona")
    finally:
        servidor.stop()


def test_a_wrong_password_is_said_and_never_shown(com_senha) -> None:
    servidor, dsn = com_senha
    with Service("--workers", "1", DATABASE_URL=dsn.with_(password="segredo-novo").url) as servico:
        servico.esperar(lambda: "password authentication failed" in servico.saida, 90)
        servico.esperar(lambda: servico.estado("/api/health/ready") == 503, 90)
        assert servico.estado("/api/health") == 503
        with psycopg.connect(servidor.dsn().conninfo, autocommit=True) as conn:
            conn.execute("alter role dona password 'segredo-novo'")
        servico.pronto()
        assert servico.encerrar() == 0
        assert "segredo-novo" not in servico.saida
