"""`GET /api/cep/{cep}`: found, unknown, malformed, unavailable; and a session for all of them."""

from __future__ import annotations

import asyncio
import time

import pytest
from viacep_falso import POR_ESPERA

PROBLEMA = "application/problem+json"


@pytest.mark.usefixtures("sem_pressa")
async def test_found_unknown_and_malformed(cliente, viacep) -> None:
    async with cliente("consulta@demo.local", cep_url=viacep.url) as c:
        r = await c.get("/api/cep/01001-000")
        assert (r.status_code, r.json()) == (
            200, {"cep": "01001000", "logradouro": "Praça da Sé", "bairro": "Sé", "cidade": "São Paulo", "uf": "SP"},
        )  # fmt: skip
        await viacep.ser("desconhecido em texto")
        r = await c.get("/api/cep/99999999")
        assert (r.status_code, r.json()["codigo"], r.headers["content-type"]) == (404, "cep-desconhecido", PROBLEMA)
        r = await c.get("/api/cep/9999")
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "cep")


async def test_without_a_session_nobody_is_asked(cliente, viacep) -> None:
    async with cliente(cep_url=viacep.url) as c:
        assert (await c.get("/api/cep/01001000")).status_code == 401
        assert (await c.get("/api/cep/01001000", headers={"Authorization": "Bearer falso"})).status_code == 401
    assert viacep.pedidos == []


async def test_switched_off_it_is_a_503_that_says_so(cliente) -> None:
    async with cliente("gestor@demo.local", cep_url=None) as c:
        r = await c.get("/api/cep/01001000")
    assert (r.status_code, r.json()["codigo"]) == (503, "cep-indisponivel")
    assert "desligada" in r.json()["detail"]


@pytest.mark.fault
@pytest.mark.parametrize("modo", POR_ESPERA)
async def test_however_viacep_fails_the_answer_is_a_503_in_time(cliente, viacep, modo) -> None:
    await viacep.ser(modo)
    async with cliente("gestor@demo.local", cep_url=viacep.url) as c:
        inicio = time.perf_counter()
        r = await c.get("/api/cep/01001000")
        durou = time.perf_counter() - inicio
    print(f"API, {modo}, first question of the process: {durou:.3f} s")
    assert durou < 1.5
    assert (r.status_code, r.headers["content-type"], r.json()["codigo"]) == (503, PROBLEMA, "cep-indisponivel")
    assert "à mão" in r.json()["detail"]
    assert int(r.headers["retry-after"]) >= 1


async def test_no_connection_of_the_database_is_held_while_viacep_thinks(cliente, cidade, viacep) -> None:
    await viacep.ser("mudo")
    async with cliente("gestor@demo.local", cep_url=viacep.url) as c:
        # Two others can fail 4 times before the third is sent; the circuit opens at 5, so that all three always arrive.
        perguntas = [asyncio.create_task(c.get(f"/api/cep/{n:08}")) for n in range(3)]
        await viacep.ate(3)
        assert c._transport.app.state.service.db.stats().in_use == 0
        assert {r.status_code for r in await asyncio.gather(*perguntas)} == {503}


async def test_a_local_keeps_its_address(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        setor = (await c.get("/api/setores")).json()[0]["id"]
        novo = {"setor_id": setor, "nome": "Escola nova", "cep": "01001-000", "cidade": "São Paulo", "uf": "sp"}
        r = await c.post("/api/locais", json={**novo, "logradouro": "Praça da Sé", "numero": "s/n"})
        assert r.status_code == 201, r.text
        gravado = (await c.get(r.headers["location"])).json()
        assert [gravado[n] for n in ("cep", "logradouro", "numero", "complemento", "bairro", "cidade", "uf")] == [
            "01001000", "Praça da Sé", "s/n", "", "", "São Paulo", "SP",
        ]  # fmt: skip
        r = await c.post(
            "/api/locais", json={**novo, "nome": "Outra", "cep": "0100", "uf": "São Paulo", "numero": "9" * 21}
        )
        assert (r.status_code, {e["field"] for e in r.json()["errors"]}) == (422, {"cep", "uf", "numero"})
        r = await c.post("/api/locais", json={"setor_id": setor, "nome": "Sem endereço"})
        assert (r.status_code, r.json()["cep"], r.json()["uf"]) == (201, "", "")
