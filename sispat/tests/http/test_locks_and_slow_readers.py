"""What waits - for a lock, for a slow client - keeps nobody else from working, and is told what is true."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from aplicacao import abrir
from servida import servir

from esteio.postgres import (
    DatabaseMissing,
    DatabaseUnavailable,
    Dsn,
    LockTimeout,
    OutOfResources,
    PoolExhausted,
    StatementTimeout,
)
from sispat.http import retry
from sispat.http.database import LOCK_WAIT, ServiceDatabase, session_settings, writers_of
from sispat.http.errors import problem_of


@contextlib.contextmanager
def locked(dsn: Dsn, sql: str) -> Iterator[None]:
    """Somebody else's transaction, which holds what `sql` takes."""
    with psycopg.connect(dsn.conninfo) as conn:
        conn.execute(sql)
        yield


def _new(dsn: Dsn) -> dict[str, str]:
    with psycopg.connect(dsn.conninfo) as conn:
        row = conn.execute("select classe_id, setor_id, local_id, agente_id from patrimonio limit 1").fetchone()
    assert row is not None
    placed = dict(zip(("classe_id", "setor_id", "local_id", "agente_id"), map(str, row), strict=True))
    return {"descricao": "Mesa", "valor": "10.00", "data_aquisicao": "2026-01-31", **placed}


async def test_writers_who_wait_for_the_counter_leave_connections_to_readers(cidade: Dsn) -> None:
    dsn = cidade.with_(connection_limit=4, pool_timeout=1.0)
    async with abrir(dsn, "gestor@demo.local", limit_write=None, limit_user=None) as c:
        new = _new(cidade)
        with locked(cidade, "update numeracao set ultimo = ultimo"):
            writes = [asyncio.create_task(c.post("/api/patrimonios", json=new)) for _ in range(8)]
            await asyncio.sleep(0)  # all are on their way
            for _ in range(20):
                assert (await c.get("/api/patrimonios")).status_code == 200
        for answer in await asyncio.gather(*writes):
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 503:
                assert answer.json()["codigo"] in ("em-uso-agora", "ocupado")
                assert "Nada foi gravado" in answer.json()["detail"]


async def test_a_reader_who_met_a_lock_is_not_told_that_nothing_was_saved(cidade: Dsn) -> None:
    async with abrir(cidade.with_(pool_timeout=0.2), "gestor@demo.local") as c:
        with locked(cidade, "lock table patrimonio in access exclusive mode"):
            for address in ("/api/patrimonios", "/patrimonios"):
                answer = await c.get(address)
                assert answer.status_code == 503
                assert "gravado" not in answer.text


@contextlib.contextmanager
def met(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Exception]], Awaitable[object]]]:
    """Who is given a type of error is told when a request has met one, and is about to be run again."""
    events: dict[type[Exception], asyncio.Event] = defaultdict(asyncio.Event)
    patience = retry._patience

    def noted(error: Any, most: float) -> float:
        events[type(error)].set()
        return patience(error, most)

    monkeypatch.setattr(retry, "_patience", noted)
    yield lambda kind: events[kind].wait()


async def test_who_waits_long_for_a_lock_gets_what_the_first_made_of_it(
    cidade: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sispat.http.database.LOCK_WAIT", 30)
    async with abrir(cidade, "admin@demo.local", limit_write=None) as c:
        with met(monkeypatch) as waiting, psycopg.connect(cidade.conninfo) as first:
            row = first.execute(
                """update patrimonio set situacao = 'em_manutencao'
                   where numero = (select min(numero) from patrimonio where situacao = 'em_uso') returning numero"""
            ).fetchone()
            assert row is not None
            asked = {"numeros": list(row), "problema": "Não liga", "enviado_em": "2026-03-02"}
            second = asyncio.create_task(c.post("/api/manutencoes", json=asked))
            await waiting(LockTimeout)
            first.commit()
            answer = await second
        assert answer.status_code == 422, answer.text
        assert "manutenção" in answer.text


async def test_a_database_that_is_replaced_is_waited_for(
    cidade: Dsn, postgres_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a restore does it: the old one is renamed away, and who connects just then is told that there is none."""
    name = cidade.database
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
    server = postgres_server.dsn().conninfo
    async with abrir(cidade, "gestor@demo.local") as c:
        with (
            met(monkeypatch) as waiting,
            psycopg.connect(server, autocommit=True) as renaming,
            psycopg.connect(server, autocommit=True) as cutting,
        ):
            rename = f"alter database {name} rename to {name}_away"
            away = asyncio.create_task(asyncio.to_thread(renaming.execute, rename))
            while not away.done():
                cutting.execute(cut, [name])
                await asyncio.wait([away], timeout=0.01)
            await away
            reading = asyncio.create_task(c.get("/api/patrimonios"))
            await waiting(DatabaseMissing)
            renaming.execute(f"alter database {name}_away rename to {name}")
            answer = await reading
        assert answer.status_code == 200, answer.text


async def test_a_session_waits_for_a_lock_only_briefly_unless_the_url_says_otherwise(cidade: Dsn) -> None:
    async with ServiceDatabase(cidade, settings=session_settings(cidade)) as db:
        assert await db.fetch_value("select setting::int from pg_settings where name = 'lock_timeout'") == LOCK_WAIT
    own = cidade.with_(parameters=(*cidade.parameters, ("options", "-c lock_timeout=77")))
    async with ServiceDatabase(own, settings=session_settings(own)) as db:
        assert await db.fetch_value("select setting::int from pg_settings where name = 'lock_timeout'") == 77


async def test_a_turn_to_write_is_given_back_however_the_block_ends(cidade: Dsn) -> None:
    async with ServiceDatabase(cidade.with_(connection_limit=2, pool_timeout=0.2)) as db:
        for _ in range(3):
            with pytest.raises(KeyError):
                async with db.transaction():
                    raise KeyError
        async with db.transaction():
            assert writers_of(2) == 1
            with pytest.raises(PoolExhausted):
                async with db.transaction():
                    pass
            async with db.transaction(read_only=True) as conn:
                await conn.execute("select 1")
        async with db.transaction():
            pass


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfResources("sispat", "could not extend file", sqlstate="53100"), "disco-cheio"),
        (OutOfResources("sispat", "out of memory", sqlstate="53200"), "sem-recursos"),
        (LockTimeout("sispat", "ocupado"), "em-uso-agora"),
        (StatementTimeout("sispat", "longa", limit_ms=5000), "demorou-demais"),
        (
            PoolExhausted("sispat", waited=1, in_use=1, size=1, max_size=1, waiting=1, max_waiting=1),
            "ocupado",
        ),
        (DatabaseUnavailable("sispat", "fora"), "indisponivel"),
    ],
)
def test_a_problem_of_the_database_is_named_and_says_of_saving_only_what_is_true(error: Exception, code: str) -> None:
    writing, reading = problem_of(error), problem_of(error, reading=True)
    assert (writing.status, writing.code, reading.code) == (503, code, code)
    assert "Nada" in writing.message
    assert "Nada" not in reading.message
    assert ("não está respondendo" in writing.message) == (code == "indisponivel")


def _slow_reader(address: str, token: str) -> socket.socket:
    """A client that asks for everything and reads nothing."""
    host, port = urlsplit(address).hostname, urlsplit(address).port
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, port))
    reader.sendall(
        f"GET /api/patrimonios.csv HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    return reader


async def test_an_export_of_several_lots_has_every_asset_once(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(MANY, {"long": 1, "many": 4001})
    async with abrir(cidade, "consulta@demo.local") as c:
        lines = (await c.get("/api/patrimonios.csv", params={"sort": "valor"})).text.splitlines()
    numbers = [int(line.split(";")[0]) for line in lines[1:]]
    assert len(numbers) == len(set(numbers)) == 4301


MANY = """
insert into patrimonio (numero, descricao, classe_id, valor, data_aquisicao, data_disponivel, conservacao, setor_id,
                        local_id, agente_id, observacao)
select 100000 + i, descricao, classe_id, valor, data_aquisicao, data_disponivel, conservacao, setor_id, local_id,
       agente_id, repeat('x', %(long)s)
from (select * from patrimonio limit 1) p, generate_series(1, %(many)s) i"""


# As many exports as http.shedding lets in however late the event loop is: 0.3 of 16; more than there are connections.
SLOW_READERS, CONNECTIONS = 5, 3


def test_exports_that_nobody_reads_hold_no_connection(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:  # more than the sockets between the two take
        conn.execute(MANY, {"long": 500, "many": 2200})
    dsn = cidade.with_(connection_limit=CONNECTIONS, pool_timeout=30.0)
    with servir(dsn, limit_report=None, limit_user=None) as address, httpx2.Client(base_url=address, timeout=60) as c:
        signed_in = c.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})
        token = signed_in.json()["token"]
        readers = [_slow_reader(address, token) for _ in range(SLOW_READERS)]
        try:
            for reader in readers:  # each has begun: its first lot is on its way
                reader.settimeout(60)
                received = b""
                while b"xxx" not in received:
                    lot = reader.recv(1000)
                    assert lot, f"the export was refused: {received!r}"
                    received += lot
            answer = c.get("/api/patrimonios", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
        finally:
            for reader in readers:
                reader.close()
    with psycopg.connect(cidade.conninfo) as conn:
        noted = conn.execute("select count(*) from evento where acao = 'exportar_bens'").fetchone()
    assert noted == (SLOW_READERS,), "each is in the audit, also those that nobody reads to the end"
