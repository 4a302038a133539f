"""The guide's five limits as the service applies them."""

from __future__ import annotations

import re

import httpx2
import pytest
from casa import GESTOR, casa, problema

from esteio.postgres import Dsn
from sispat.settings import InvalidSettings, Quota, Settings, load_settings

# -- global: anonymous callers of the API, by address


async def test_anonymous_callers_of_the_api_have_a_hundred_in_fifteen_minutes_by_address(cidade) -> None:
    async with casa(cidade) as c, c.de("203.0.113.7") as um, c.de("203.0.113.8") as outro:
        respostas = [await um.get("/api/patrimonios") for _ in range(101)]
        assert [r.status_code for r in respostas] == [401] * 100 + [429]
        assert respostas[0].headers["ratelimit-policy"] == '"global";q=100;w=900'
        assert problema(respostas[-1], "limite-excedido")["violated-policies"] == ["global"]
        assert (await um.get("/api/openapi.json")).status_code == 429
        assert (await outro.get("/api/patrimonios")).status_code == 401


async def test_false_tokens_buy_nothing(cidade) -> None:
    async with casa(cidade, limit_global=Quota(5, 900.0)) as c, c.de("203.0.113.7") as um:
        falsos = [await um.get("/api/openapi.json", headers={"Authorization": f"Bearer falso-{n}"}) for n in range(7)]
        assert [r.status_code for r in falsos] == [200] * 5 + [429] * 2
        assert (await um.get("/api/openapi.json", headers={"Cookie": "sispat_sessao=falso"})).status_code == 429
        assert (await um.get("/api/patrimonios", headers={"Authorization": "Bearer x"})).status_code == 429


async def test_a_forged_x_forwarded_for_buys_nothing(cidade) -> None:
    async with casa(cidade, limit_global=Quota(5, 900.0)) as c, c.de("203.0.113.7") as um:
        forjados = [await um.get("/api/me", headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(7)]
        assert [r.status_code for r in forjados] == [404] * 5 + [429] * 2


async def test_whoever_signed_in_is_not_counted_with_strangers_of_the_same_address(cidade) -> None:
    async with casa(cidade, limit_global=Quota(2, 900.0)) as c, c.de("203.0.113.7") as um:
        for _ in range(3):
            await um.get("/api/patrimonios")
        assert (await um.get("/api/patrimonios")).status_code == 429
        token = (await um.post("/api/auth/login", json=GESTOR)).json()["token"]
        um.cookies.clear()
        r = await um.get("/api/patrimonios", headers={"Authorization": f"Bearer {token}"})
        assert (r.status_code, r.headers["ratelimit-policy"]) == (200, '"user";q=90000;w=900')
        assert (await um.get("/api/patrimonios")).status_code == 429


async def test_a_person_has_an_allowance_whatever_sessions_they_open(cidade) -> None:
    async with casa(cidade, limit_user=Quota(3, 900.0)) as c, c.de("203.0.113.7") as um, c.de("198.51.100.1") as outro:
        for cliente in (um, outro):
            await cliente.post("/api/auth/login", json=GESTOR)
        estados = [(await cliente.get("/api/auth/me")).status_code for cliente in (um, outro, um, outro, um)]
        assert estados == [200, 200, 200, 429, 429]


async def test_a_session_that_ended_counts_by_address_within_a_minute(cidade, monkeypatch) -> None:
    monkeypatch.setattr("sispat.http.known_sessions._KEPT_FOR", 0.0)
    async with casa(cidade, limit_global=Quota(1, 900.0)) as c, c.de("203.0.113.7") as um:
        token = (await um.post("/api/auth/login", json=GESTOR)).json()["token"]
        um.cookies.clear()
        um.headers["Authorization"] = f"Bearer {token}"
        assert (await um.get("/api/auth/me")).status_code == 200
        assert (await um.post("/api/auth/logout")).status_code == 204
        assert [(await um.get("/api/auth/me")).status_code for _ in range(2)] == [401, 429]


async def test_pages_static_files_and_probes_are_not_counted(cidade) -> None:
    async with casa(cidade, limit_global=Quota(1, 900.0)) as c, c.de("203.0.113.7") as um:
        html = (await um.get("/entrar")).text
        folha = re.search(r'href="(/static/[^"]+\.css)"', html)
        assert folha
        caminhos = ["/entrar", folha[1], "/api/health", "/api/health/live", "/api/health/ready"]
        assert {(await um.get(caminho)).status_code for caminho in caminhos * 3} == {200}
        assert [(await um.get("/api/openapi.json")).status_code for _ in range(2)] == [200, 429]
        assert (await um.get("/api/health/ready")).status_code == 200


async def test_while_the_database_is_away_nobody_is_counted(monkeypatch) -> None:
    monkeypatch.setattr("sispat.http.limits._TIMEOUT", 0.1)
    fora = Dsn.parse("postgresql://u@127.0.0.1:1/b").with_(pool_timeout=0.2)
    async with (
        casa(fora, limit_global=Quota(1, 900.0)) as c,
        c.de("203.0.113.7", Authorization="Bearer qualquer") as um,
    ):
        assert {(await um.get("/api/patrimonios")).status_code for _ in range(3)} == {503}


# -- write, report


async def setor(c: httpx2.AsyncClient, codigo: object) -> httpx2.Response:
    return await c.post("/api/setores", json={"codigo": f"S{codigo}", "nome": f"Setor {codigo}"})


async def test_a_person_writes_thirty_times_a_minute_and_reads_on(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        respostas = [await setor(c, n) for n in range(31)]
        assert [r.status_code for r in respostas] == [201] * 30 + [429]
        assert respostas[0].headers["ratelimit-policy"] == '"user";q=90000;w=900, "write";q=30;w=60'
        assert problema(respostas[-1], "limite-excedido")["violated-policies"] == ["write"]
        assert (await c.get("/api/setores")).status_code == 200
        assert (await c.post("/api/auth/logout")).status_code == 204


async def test_a_lot_of_equal_assets_is_one_write(cliente) -> None:
    async with cliente("gestor@demo.local", limit_write=Quota(2, 60.0)) as c:
        bem = (await c.get("/api/patrimonios", params={"limit": 1})).json()["items"][0]
        lote = {"descricao": "Cadeira", "valor": "10.00", "data_aquisicao": "2026-01-31", "quantidade": 100}
        lote |= {f"{campo}_id": bem[campo]["id"] for campo in ("classe", "setor", "local", "agente")}
        assert [(await c.post("/api/patrimonios", json=lote)).status_code for _ in range(3)] == [201, 201, 429]


async def test_reports_are_limited_by_person_for_pages_and_api_together(cliente) -> None:
    async with cliente("gestor@demo.local", limit_report=Quota(2, 3600.0)) as c:
        token = c.headers["Authorization"].removeprefix("Bearer ")
        assert (await c.get("/api/patrimonios.csv?limit=5")).status_code == 200
        del c.headers["Authorization"]
        c.cookies.set("sispat_sessao", token)
        assert (await c.get("/patrimonios.csv")).status_code == 200
        pagina = await c.get("/patrimonios.csv")
        assert (pagina.status_code, pagina.headers["content-type"]) == (429, "text/html; charset=utf-8")
        assert "Tente de novo em 60 minutos" in pagina.text or "Tente de novo em" in pagina.text
        assert int(pagina.headers["retry-after"]) > 3000


async def test_a_limit_can_be_switched_off(cliente) -> None:
    async with cliente("gestor@demo.local", limit_write=None, limit_user=None) as c:
        assert {(await setor(c, n)).status_code for n in range(40)} == {201}
        assert "ratelimit" not in (await c.get("/api/auth/me")).headers


async def test_english_is_spoken_to_programs_that_ask_for_it(cliente) -> None:
    async with cliente("gestor@demo.local", limit_write=Quota(1, 60.0)) as c:
        await setor(c, 1)
        assert problema(await setor(c, 2), "limite-excedido")["title"] == "Muitas requisições"
        c.headers["Accept-Language"] = "en"
        assert problema(await setor(c, 3), "limite-excedido")["detail"].startswith("The limit of 1 per 1 minute")


# -- settings


@pytest.mark.parametrize(
    ("texto", "cota"),
    [
        ("50/1min", Quota(50, 60.0)),
        ("50/min", Quota(50, 60.0)),
        (" 7 / 1,5h ", Quota(7, 5400.0)),
        ("1/90", Quota(1, 90.0)),
    ],
)
def test_a_limit_is_so_many_within_a_duration(texto: str, cota: Quota) -> None:
    assert load_settings({"SISPAT_LIMIT_WRITE": texto}).limit_write == cota


def test_a_limit_can_be_off_but_never_that_of_signing_in() -> None:
    assert load_settings({"SISPAT_LIMIT_WRITE": "não"}).limit_write is None
    for nome in ("SISPAT_LIMIT_AUTH", "SISPAT_LIMIT_AUTH_ADDRESS"):
        with pytest.raises(InvalidSettings, match=nome):
            load_settings({nome: "não"})


@pytest.mark.parametrize(
    "texto", ["0/1min", "10", "10/", "/1min", "-1/1min", "1e3/1min", "10/2d", "10/0s", "10/lua", "²/1min"]
)
def test_a_limit_that_cannot_be_is_refused_with_an_example(texto: str) -> None:
    with pytest.raises(InvalidSettings, match="100/15min"):
        load_settings({"SISPAT_LIMIT_WRITE": texto})


def test_the_guides_numbers_are_the_defaults() -> None:
    s = Settings()
    assert (s.limit_global, s.limit_auth, s.limit_write) == (Quota(100, 900), Quota(5, 900), Quota(30, 60))
    assert (s.limit_upload, s.limit_report) == (Quota(10, 3600), Quota(20, 3600))
