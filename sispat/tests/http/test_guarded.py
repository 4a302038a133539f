"""A read asks for its session and for its data in one statement, and the session counts as if it had been asked before."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from casa import Casa, casa

from esteio.postgres import Dsn


@pytest.fixture
async def servico(cidade: Dsn) -> AsyncIterator[Casa]:
    async with casa(cidade) as c:
        yield c


@pytest.fixture
def banco_ao_lado(cidade: Dsn) -> Any:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        yield conn


@contextlib.asynccontextmanager
async def _dentro(c: Casa, quem: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody whose session this process knows."""
    async with c.de("192.0.2.7") as http:
        entrada = await http.post("/api/auth/login", json={"email": f"{quem}@demo.local", "password": "demo"})
        http.headers["Authorization"] = f"Bearer {entrada.json()['token']}"
        assert (await http.get("/api/patrimonios")).status_code == 200
        yield http


def _executions(c: Casa) -> int:
    return sum(each.times.count for each in c._aplicacao.state.service.db.statements())


async def test_a_read_of_a_known_session_is_one_statement(servico: Casa) -> None:
    async with _dentro(servico, "gestor") as http:
        bem = (await http.get("/api/patrimonios")).json()["items"][0]["id"]
        for path in ("/api/patrimonios", f"/api/patrimonios/{bem}"):
            before = _executions(servico)
            assert (await http.get(path)).status_code == 200
            assert _executions(servico) - before == 1


async def test_a_session_that_ended_reads_nothing_whatever_was_asked_for(servico: Casa, banco_ao_lado: Any) -> None:
    async with _dentro(servico, "gestor") as http:
        bem = (await http.get("/api/patrimonios")).json()["items"][0]["id"]
        asked = {
            f"/api/patrimonios/{bem}": 200,  # found by the statement that asks for the session
            f"/api/patrimonios/{uuid4()}": 404,  # not found by it
            "/api/patrimonios?q=mesa": 200,  # several statements, planned anew each time
            "/api/usuarios": 403,  # refused before any statement
            "/patrimonios": 200,
        }
        for path, status in asked.items():
            assert (await http.get(path)).status_code == status
        banco_ao_lado.execute("delete from sessao")
        for path in asked:
            assert (await http.get(path)).status_code in (401, 303), path


async def test_rights_that_were_taken_away_are_gone_in_the_next_read(servico: Casa, banco_ao_lado: Any) -> None:
    async with _dentro(servico, "responsavel") as http:
        bem = (await http.get("/api/patrimonios")).json()["items"][0]["id"]
        assert (await http.get(f"/api/patrimonios/{bem}")).status_code == 200
        banco_ao_lado.execute("delete from usuario_setor")
        assert (await http.get(f"/api/patrimonios/{bem}")).status_code == 404
        assert (await http.get("/api/patrimonios")).json()["items"] == []
        banco_ao_lado.execute("update usuario set papel = 'consulta' where email = 'responsavel@demo.local'")
        assert (await http.get(f"/api/patrimonios/{bem}")).status_code == 200, "and rights that were given are there"
        banco_ao_lado.execute("update usuario set ativo = false where email = 'responsavel@demo.local'")
        assert (await http.get(f"/api/patrimonios/{bem}")).status_code == 401


async def test_a_provisional_password_stops_the_next_read(servico: Casa, banco_ao_lado: Any) -> None:
    async with _dentro(servico, "gestor") as http:
        banco_ao_lado.execute("update usuario set senha_provisoria = true where email = 'gestor@demo.local'")
        assert (await http.get("/api/patrimonios")).status_code == 403


async def test_a_read_that_notes_the_session_as_seen_finds_what_there_is(servico: Casa, banco_ao_lado: Any) -> None:
    async with _dentro(servico, "gestor") as http:
        for _ in range(2):
            bem = (await http.get("/api/patrimonios")).json()["items"][0]["id"]
            banco_ao_lado.execute("update sessao set vista_em = now() - interval '2 minutes'")
            assert (await http.get(f"/api/patrimonios/{bem}")).status_code == 200
            (seen,) = banco_ao_lado.execute(
                "select bool_and(vista_em > now() - interval '1 minute') from sessao"
            ).fetchone()
            assert seen
            banco_ao_lado.execute("update sessao set vista_em = now() - interval '2 minutes'")
            assert (await http.get("/api/patrimonios")).json()["items"]
