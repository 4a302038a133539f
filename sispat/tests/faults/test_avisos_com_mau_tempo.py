"""Mails to people while the mail server is away, refuses, or whoever sends is killed: told later, once; at most one twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer
from sispat.kernel.schema import migrate

sys.path.insert(0, str(Path(__file__).parents[1] / "avisos"))
from correio import DIA, HORA, correspondencia, mail_receiver, postos, relogio, url
from processos import ambiente

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(120)]

_SENDER = Path(__file__).parents[1] / "avisos/sender_process.py"
_PEOPLE = """
insert into setor (codigo, nome) values ('SEMED', 'Educação'), ('SEMUS', 'Saúde');
insert into usuario (email, nome, papel, senha_hash) values ('ana@cidade.gov.br', 'Ana Lima', 'gestor', '');
insert into aviso (usuario_id, resumo_de) select id, '2026-03-01' from usuario;
"""
_TRANSFER = """
insert into transferencia (origem_id, destino_id, motivo, bens, pedida_por)
select a.id, b.id, 'Sala nova', 1, u.id from setor a, setor b, usuario u where a.codigo < b.codigo limit 1 returning numero"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be killed."""
    server = PostgresServer()
    server.start()
    migrate(server.create_database("avisos_modelo"))
    yield server
    server.stop()


@pytest.fixture
def cidade(server: PostgresServer) -> Iterator[Dsn]:
    """A city of one gestor, for whom something waits."""
    dsn = server.create_database("avisos", template="avisos_modelo")
    with psycopg.connect(dsn.conninfo) as conn:
        conn.execute(_PEOPLE)
        conn.execute(_TRANSFER)
    yield dsn
    server.drop_database("avisos")


def ask(cidade: Dsn, sql: str, *values: object) -> Any:
    """One row, once the database answers."""
    with psycopg.connect(cidade.conninfo) as conn:
        return conn.execute(sql, values).fetchone()


def until(question: Callable[[], Any], limit: float = 60.0) -> Any:
    end = time.monotonic() + limit
    while not (answer := question()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return answer


async def test_a_mail_server_away_for_a_day_leads_to_one_digest_later_of_what_waits_then(cidade: Dsn) -> None:
    hora = relogio()
    with mail_receiver() as gone:
        port = gone.port
    async with postos(cidade, port, hora) as sender:
        for seconds in (HORA, 60.0, 120.0, 2 * HORA, 5 * HORA, 12 * HORA, 5 * HORA, HORA):  # past the next day's digest
            hora.advance(seconds)
            assert await sender.round() == 0
        assert ask(cidade, "select falhas, falha <> '' from aviso") == (8, True)
        ask(cidade, "update transferencia set estado = 'cancelada', decidida_em = now() returning 1")
        (numero,) = ask(cidade, _TRANSFER)
        with mail_receiver(port) as servidor:
            assert await sender.round() == 0, "a server that comes back is noticed within a quarter of an hour"
            hora.advance(900.0)
            assert await sender.round() == 1
            hora.advance(HORA)
            assert await sender.round() == 0
            ((_, assunto, texto),) = correspondencia(servidor)
        assert assunto == "SISPAT: 1 transferência a aceitar ou recusar"
        assert f"- Nº {numero}: Educação → Saúde" in texto
        assert ask(cidade, "select falhas, falha from aviso") == (0, "")


async def test_an_address_that_is_refused_keeps_nobody_waiting(cidade: Dsn) -> None:
    ask(cidade, "insert into usuario (email, nome, papel, senha_hash) values ('rui@cidade.gov.br', 'Rui', 'gestor', '')"
                " returning 1")  # fmt: skip
    ask(cidade, "insert into aviso (usuario_id, resumo_de) select id, '2026-03-01' from usuario on conflict do nothing"
                " returning 1")  # fmt: skip
    hora = relogio()
    hora.advance(HORA)
    with mail_receiver() as servidor:
        servidor.unknown = "ana@cidade.gov.br"
        async with postos(cidade, servidor.port, hora) as sender:
            assert await sender.round() == 1
            servidor.unknown = ""
            assert await sender.round() == 0, "not at once"
            hora.advance(61.0)
            assert await sender.round() == 1
            assert sorted(to for to, *_ in correspondencia(servidor)) == ["ana@cidade.gov.br", "rui@cidade.gov.br"]


def test_kill_9_after_the_server_took_a_mail_and_before_that_is_written_sends_it_twice_at_most(cidade: Dsn) -> None:
    hora = relogio()
    hora.advance(HORA)
    with mail_receiver() as servidor:

        def send(more: float) -> subprocess.Popen[bytes]:
            hora.advance(more)
            command = [sys.executable, str(_SENDER), cidade.url, str(servidor.port), str(hora.time())]
            path = os.pathsep.join([*map(str, (_SENDER.parent, _SENDER.parents[1])), ambiente()["PYTHONPATH"]])
            return subprocess.Popen(command, env=ambiente(PYTHONPATH=path))

        started, first = threading.Event(), list[subprocess.Popen[bytes]]()

        def kill(_mail: str) -> None:
            started.wait(10)
            first[0].kill()
            first[0].wait(10)

        servidor.told = kill
        first.append(send(0.0))
        started.set()
        assert until(lambda: first[0].poll()) == -9
        until(lambda: len(servidor.mails) == 1)
        servidor.told = None
        assert send(60.0).wait(30) == 0
        assert len(servidor.mails) == 1, "whoever was killed has two minutes"
        assert send(61.0).wait(30) == 0
        assert len(servidor.mails) == 2, "nobody knows that it was taken"
        assert send(DIA / 2).wait(30) == 0
        assert len(servidor.mails) == 2
    assert ask(cidade, "select enviado_em is not null from aviso") == (True,)


def test_kill_9_of_postgresql_while_a_mail_is_taken_and_the_process_of_jobs_writes_it_down_later(
    cidade: Dsn, server: PostgresServer, tmp_path: Path
) -> None:
    """The real command, the real time: the digest of the last weekday is due."""
    with mail_receiver() as servidor:
        servidor.told = lambda _mail: server.kill()
        environment = ambiente(
            DATABASE_URL=cidade.url,
            SISPAT_MAIL_URL=url(servidor.port),
            SISPAT_DATA_DIR=str(tmp_path),
            SISPAT_LANG="pt-BR",
        )
        process = subprocess.Popen([sys.executable, "-m", "sispat", "jobs"], env=environment, cwd=tmp_path)
        try:
            until(lambda: len(servidor.mails) == 1)
            servidor.told = None
            server.start()
            until(lambda: ask(cidade, "select enviado_em is not null from aviso")[0])
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait(10)
        assert len(servidor.mails) == 1
