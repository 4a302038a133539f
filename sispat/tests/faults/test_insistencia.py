"""A connection that is cut at any moment of a request costs nobody an error, and nobody a second asset."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aplicacao import abrir
from carga import corpo_de_bem

from esteio.postgres import Dsn
from esteio.testing import FlakyProxy

pytestmark = [pytest.mark.fault, pytest.mark.untimed]

_CORTES = (0, 40, 120, 250, 500, 1000, 2000)  # bytes that still pass


@pytest.fixture
def rede(cidade: Dsn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FlakyProxy, Dsn]]:
    """A network between the application and its database that can be cut."""
    ((host, port),) = cidade.hosts
    pasta: Path = tmp_path_factory.mktemp("r")
    with FlakyProxy(f"{host}/.s.PGSQL.{port}", listen=pasta / ".s.PGSQL.5432") as proxy:
        yield proxy, cidade.with_(hosts=((str(pasta), 5432),), connection_limit=2)


def _bens(dsn: Dsn) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute(
            "select p.numero, count(e.id) from patrimonio p join evento e on e.entidade_id = p.id"
            " where p.descricao = 'Criado sob carga' group by p.numero order by p.numero"
        ).fetchall()


@pytest.mark.parametrize("sentido", ["up", "down"])
@pytest.mark.parametrize("com_chave", [False, True])
async def test_a_create_that_is_cut_anywhere_is_answered_and_done_once(rede, cidade, sentido, com_chave) -> None:
    proxy, dsn = rede
    numeros = []
    async with abrir(dsn, "gestor@demo.local") as cliente:
        corpo = await corpo_de_bem(cliente)
        for corte in _CORTES:
            proxy.cut_after(corte, sentido)
            chave = {"Idempotency-Key": f"corte-{corte}"} if com_chave else {}
            pedido = asyncio.ensure_future(cliente.post("/api/patrimonios", json=corpo, headers=chave))
            await asyncio.sleep(0.3)
            proxy.heal()
            resposta = await pedido
            assert resposta.status_code == 201, (corte, resposta.text)
            numeros.append(resposta.json()["numero"])
    assert _bens(cidade) == [(numero, 1) for numero in numeros], "each is there once, with one audit record"


@pytest.mark.parametrize("sentido", ["up", "down"])
async def test_creates_that_are_cut_together_are_each_answered_and_done_once(rede, cidade, sentido) -> None:
    proxy, dsn = rede
    numeros = []
    async with abrir(dsn, "gestor@demo.local", limit_write=None) as cliente:
        corpo = await corpo_de_bem(cliente)
        for corte in (120, 1000, 2000, 6000):
            proxy.cut_after(corte, sentido)
            chaves = [{"Idempotency-Key": f"corte-{corte}-{i}"} if i % 2 else {} for i in range(8)]
            juntos = asyncio.gather(*(cliente.post("/api/patrimonios", json=corpo, headers=chave) for chave in chaves))
            await asyncio.sleep(0.3)
            proxy.heal()
            respostas = await juntos
            assert {resposta.status_code for resposta in respostas} == {201}, [r.text for r in respostas]
            numeros += [resposta.json()["numero"] for resposta in respostas]
    assert _bens(cidade) == [(numero, 1) for numero in sorted(numeros)], "each is there once, with one audit record"


async def test_a_read_that_is_cut_anywhere_is_answered(rede) -> None:
    proxy, dsn = rede
    async with abrir(dsn, "consulta@demo.local") as cliente:
        for corte in _CORTES:
            for caminho in ("/api/patrimonios?limit=2", "/patrimonios"):
                proxy.cut_after(corte)
                pedido = asyncio.ensure_future(cliente.get(caminho))
                await asyncio.sleep(0.2)
                proxy.heal()
                resposta = await pedido
                assert resposta.status_code in (200, 303), (corte, caminho, resposta.text)


async def test_a_sign_in_that_is_cut_opens_one_session(rede, cidade) -> None:
    proxy, dsn = rede
    credenciais = {"email": "admin@demo.local", "password": "demo"}
    async with abrir(dsn) as cliente:
        for corte in _CORTES[:4]:
            proxy.cut_after(corte)
            pedido = asyncio.ensure_future(cliente.post("/api/auth/login", json=credenciais))
            await asyncio.sleep(0.3)
            proxy.heal()
            assert (await pedido).status_code == 200
    with psycopg.connect(cidade.conninfo) as conn:
        assert conn.execute("select count(*) from sessao").fetchone() == (4,)
