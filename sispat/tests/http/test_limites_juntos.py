"""Limits that several processes keep together: through a file of the host, or through Redis."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import httpx2
import pytest
from casa import ERRADA, administrador, casa
from processos import Service

from esteio.limit import HostStore
from esteio.testing.redis import RedisServer
from sispat.cli._limit_file import limit_file, sweep
from sispat.http.limit_store import HOST_LIMITS, limit_store
from sispat.settings import InvalidSettings, Quota, Settings, load_settings


async def estados(base: str, quantos: int, metodo: str, caminho: str, **pedido: Any) -> list[int]:
    """The statuses of requests over as many connections, several at a time, each with a forged address."""

    async def um(numero: int) -> int:
        forjado = {"X-Forwarded-For": f"198.51.100.{numero}"}
        async with httpx2.AsyncClient(base_url=base, headers=forjado, timeout=60) as c:
            return (await c.request(metodo, caminho, **pedido)).status_code

    vez = asyncio.Semaphore(8)

    async def na_vez(numero: int) -> int:
        async with vez:
            return await um(numero)

    return sorted(await asyncio.gather(*map(na_vez, range(quantos))))


async def test_two_workers_do_not_double_a_limit_and_forget_nothing_when_they_are_replaced(cidade) -> None:
    ajustes = {"SISPAT_LIMIT_GLOBAL": "20/15min", "SISPAT_FORWARDED_ALLOW_IPS": "192.0.2.1"}
    with Service("--workers", "2", DATABASE_URL=cidade.url, **ajustes) as servico:
        servico.pronto()
        base = servico.endereco()
        arquivo = HostStore.place(f"sispat-{base.rpartition(':')[2]}-127.0.0.1")
        assert arquivo.exists()
        assert await estados(base, 60, "GET", "/api/openapi.json") == [200] * 20 + [429] * 40
        assert await estados(base, 15, "POST", "/api/auth/login", json=ERRADA) == [401] * 5 + [429] * 10
        servico.processo.send_signal(signal.SIGHUP)
        servico.esperar(lambda: "roll finished" in servico.saida, 90)
        assert set(await estados(base, 8, "GET", "/api/openapi.json")) == {429}
        assert set(await estados(base, 4, "POST", "/api/auth/login", json=ERRADA)) == {429}
        assert servico.encerrar() == 0
        assert not arquivo.exists()


def test_the_file_of_a_service_that_was_killed_is_removed_and_that_of_a_living_one_stays() -> None:
    def nomes() -> set[str]:
        return {arquivo.name for arquivo in HostStore.place("x").parent.glob("esteio-*-sispat-*-teste*.limits")}

    with limit_file(Settings(host="teste-vivo"), 1):
        morta = HostStore.create(HostStore.place("sispat-1-teste-morta"), keys=64)
        assert len(nomes()) == 2
        sweep()
        assert [nome for nome in nomes() if "morta" in nome] == []
        assert [nome for nome in nomes() if "vivo" in nome] != []
        morta.close()
    assert nomes() == set()


def test_a_file_that_is_not_there_leaves_each_process_counting_alone_and_says_so(monkeypatch, caplog) -> None:
    monkeypatch.setenv(HOST_LIMITS, "/nowhere/limites")
    assert type(limit_store(Settings())).__name__ == "MemoryStore"
    assert "conta os limites sozinho" in caplog.text


# -- Redis


async def test_with_redis_all_machines_count_together_and_what_was_used_outlives_them(cidade, redis_url: str) -> None:
    ajustes = {"redis_url": redis_url, "limit_global": Quota(10, 900.0)}
    async with casa(cidade, **ajustes) as uma, casa(cidade, **ajustes) as outra:
        for n in range(6):
            ultima = await (uma, outra)[n % 2].entrar(f"203.0.113.{n}", ERRADA)
        assert ultima.status_code == 429
        async with uma.de("203.0.113.99") as a, outra.de("203.0.113.99") as b:
            vistos = [(await (a, b)[n % 2].get("/api/openapi.json")).status_code for n in range(12)]
        assert vistos == [200] * 10 + [429] * 2
        async with administrador(uma) as admin:
            (visto,) = (await admin.get("/api/bloqueios")).json()
            await admin.post(f"/api/bloqueios/{visto['id']}/liberacao")
        assert (await outra.entrar("203.0.113.1")).status_code == 200
    async with casa(cidade, **ajustes) as de_novo, de_novo.de("203.0.113.99") as c:
        assert (await c.get("/api/openapi.json")).status_code == 429


@pytest.mark.fault
async def test_while_redis_is_away_people_are_served_and_signing_in_is_never_without_a_limit(cidade) -> None:
    with RedisServer(password="segredo") as redis:
        url = redis.url.replace(":segredo@", "")
        async with casa(cidade, redis_url=url, redis_password="segredo", workers=1) as c, c.de("203.0.113.1") as alguem:
            assert (await alguem.get("/api/health")).json()["checks"]["redis:responseTime"][0]["status"] == "pass"
            redis.kill()
            palpites = [await c.entrar(f"198.51.100.{n}", ERRADA) for n in range(12)]
            assert [r.status_code for r in palpites] == [401] * 5 + [429] * 7
            await asyncio.sleep(1.1)  # an answer of the check is kept for a second
            saude = await alguem.get("/api/health")
            assert (saude.status_code, saude.json()["checks"]["redis:responseTime"][0]["status"]) == (200, "fail")
            assert (await alguem.get("/api/openapi.json")).status_code == 200
            certa = await c.entrar("203.0.113.5", {"email": "admin@demo.local", "password": "demo"})
            assert certa.status_code == 200


@pytest.mark.parametrize("url", ["redis+sentinel://h:26379", "redis://h:porta", "redis://a,b", "rediss://h/x"])
def test_a_redis_address_that_cannot_be_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(InvalidSettings, match="REDIS_URL"):
        load_settings({"REDIS_URL": url})


def test_sentinels_and_clusters_are_addresses_too() -> None:
    for url in ("redis+sentinel://a:26379,b:26379/principal", "rediss+cluster://a,b", "unix:///run/redis.sock?db=1"):
        assert load_settings({"REDIS_URL": url}).redis_url is not None
