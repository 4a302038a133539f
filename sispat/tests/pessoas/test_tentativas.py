"""Signing in, when passwords are wrong: who is stopped, who is not, and who lets them in again."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import psycopg
import pytest
from casa import ERRADA, GESTOR, administrador, casa, problema

from esteio.postgres import Database
from sispat.kernel import devices
from sispat.pessoas.sql import bloqueios as tabela
from sispat.settings import Quota


async def test_five_wrong_passwords_close_an_account_and_the_right_one_waits_too(cidade) -> None:
    async with casa(cidade) as c:
        assert [(await c.entrar("203.0.113.7", ERRADA)).status_code for _ in range(6)] == [401] * 5 + [429]
        recusada = await c.entrar("203.0.113.7")
        corpo = problema(recusada, "muitas-tentativas")
        assert corpo["violated-policies"] == ["auth"]
        assert "Muitas tentativas de entrar falharam" in corpo["detail"]
        assert 890 <= int(recusada.headers["retry-after"]) <= 991
        ingles = await c.entrar("203.0.113.7", **{"Accept-Language": "en-GB"})
        assert "Too many sign-ins failed" in ingles.json()["detail"]


async def test_only_failures_count(cidade) -> None:
    async with casa(cidade) as c:
        assert {(await c.entrar("203.0.113.7")).status_code for _ in range(8)} == {200}
        assert {(await c.entrar("203.0.113.7", ERRADA)).status_code for _ in range(4)} == {401}
        assert {(await c.entrar("203.0.113.7")).status_code for _ in range(3)} == {200}
        assert [(await c.entrar("203.0.113.7", ERRADA)).status_code for _ in range(2)] == [401, 429]


async def test_a_hundred_addresses_at_once_get_five_guesses_at_one_account(cidade) -> None:
    async with casa(cidade) as c:
        palpites = [c.entrar(f"198.51.100.{n}", ERRADA | {"password": f"palpite {n}"}) for n in range(100)]
        respostas = await asyncio.gather(*palpites)
        assert sorted(r.status_code for r in respostas) == [401] * 5 + [429] * 95
        assert (await c.entrar("192.0.2.1")).status_code == 429  # a stranger's right guess would not be let in either


async def test_an_account_that_does_not_exist_looks_the_same(cidade) -> None:
    async with casa(cidade) as c:
        ninguem = {"email": "ninguem@demo.local", "password": "x"}
        existe = [await c.entrar("203.0.113.7", ERRADA) for _ in range(6)]
        inventada = [await c.entrar("203.0.113.7", ninguem) for _ in range(6)]
    assert [r.status_code for r in existe] == [r.status_code for r in inventada] == [401] * 5 + [429]
    variam = {"instance", "requisicao", "request_id", "retry-after", "detail"}
    for a, b in zip(existe, inventada, strict=True):
        assert {k: v for k, v in a.json().items() if k not in variam} == {
            k: v for k, v in b.json().items() if k not in variam
        }
        assert set(a.headers) == set(b.headers)


async def test_spellings_of_an_email_are_one_account(cidade) -> None:
    async with casa(cidade) as c:
        for email in ("Gestor@demo.local", " gestor@DEMO.local", "GESTOR@DEMO.LOCAL ", "gestor@demo.local") * 2:
            ultima = await c.entrar("203.0.113.7", {"email": email, "password": "x"})
        assert ultima.status_code == 429


async def test_one_person_does_not_lock_out_the_city_hall_behind_the_same_address(cidade) -> None:
    async with casa(cidade, limit_auth_address=Quota(10, 900.0)) as c:
        for _ in range(60):
            await c.entrar("203.0.113.7", ERRADA)
        assert (await c.entrar("203.0.113.7", {"email": "admin@demo.local", "password": "demo"})).status_code == 200
        # Of the address, five are used: what is refused for the account is not charged to it.
        errada = {"email": "consulta@demo.local", "password": "x"}
        assert [(await c.entrar("203.0.113.7", errada)).status_code for _ in range(5)] == [401] * 5
        outra = await c.entrar("203.0.113.7", {"email": "responsavel@demo.local", "password": "x"})
        assert problema(outra, "muitas-tentativas")["violated-policies"] == ["auth-address"]
        assert (await c.entrar("203.0.113.8")).status_code == 429  # the account is still closed elsewhere
        assert (await c.entrar("203.0.113.8", {"email": "admin@demo.local", "password": "demo"})).status_code == 200


async def test_guesses_at_many_accounts_from_one_address_end(cidade) -> None:
    async with casa(cidade, limit_auth_address=Quota(10, 900.0)) as c:
        estados = [
            (await c.entrar("203.0.113.7", {"email": f"pessoa{n}@demo.local", "password": "x"})).status_code
            for n in range(12)
        ]
        assert estados == [401] * 10 + [429] * 2
        async with c.de("2001:db8::1") as v6, c.de("2001:db8::ffff") as mesmo:
            for n in range(10):
                await v6.post("/api/auth/login", json={"email": f"p{n}@demo.local", "password": "x"})
            r = await mesmo.post("/api/auth/login", json={"email": "outra@demo.local", "password": "x"})
            assert r.status_code == 429  # the same subscriber


async def test_the_owner_gets_in_while_strangers_hammer_at_the_account(cidade) -> None:
    async with casa(cidade) as c, c.de("203.0.113.7") as dona:
        assert (await dona.post("/api/auth/login", json=GESTOR)).status_code == 200
        await asyncio.gather(*(c.entrar(f"198.51.100.{n}", ERRADA) for n in range(40)))
        assert (await c.entrar("203.0.113.7")).status_code == 429
        assert (await dona.post("/api/auth/login", json=GESTOR)).status_code == 200
        # Its own attempts are counted too, apart.
        assert [(await dona.post("/api/auth/login", json=ERRADA)).status_code for _ in range(6)] == [401] * 5 + [429]


async def test_proof_of_an_earlier_sign_in_holds_for_one_account_and_cannot_be_made_up(cidade) -> None:
    async with casa(cidade, limit_auth=Quota(1, 900.0)) as c, c.de("203.0.113.7") as dona:
        await dona.post("/api/auth/login", json=GESTOR)
        prova = dona.cookies["sispat_dispositivo"]
        admin = {"email": "admin@demo.local", "password": "x"}
        assert [(await dona.post("/api/auth/login", json=admin)).status_code for _ in range(2)] == [401, 429]
        assert (await c.entrar("198.51.100.1", ERRADA)).status_code == 401
        for falsa in (
            "x",
            "a.b.c",
            "~" * 90,
            f"{prova}x",
            prova.replace(".", ".f", 1),
            devices.issue("gestor@demo.local", "?"),
        ):
            assert (await c.entrar("198.51.100.1", ERRADA, Cookie=f"sispat_dispositivo={falsa}")).status_code == 429
        assert (await c.entrar("198.51.100.1", ERRADA, Cookie=f"sispat_dispositivo={prova}")).status_code == 401


async def test_the_cookie_of_a_known_browser_is_for_the_server_alone(cidade) -> None:
    async with casa(cidade) as c:
        cookies = (await c.entrar("203.0.113.7")).headers.get_list("set-cookie")
        (prova,) = [x for x in cookies if x.startswith("sispat_dispositivo=")]
        for pedaco in ("HttpOnly", "SameSite=lax", "Max-Age=15552000"):
            assert pedaco in prova
        assert "gestor" not in prova
        recusada = await c.entrar("203.0.113.7", ERRADA)
        assert "set-cookie" not in recusada.headers


# -- blocks


async def bloqueios(c: httpx2.AsyncClient) -> list[dict[str, Any]]:
    r = await c.get("/api/bloqueios")
    assert r.status_code == 200, r.text
    return list(r.json())


async def test_an_administrator_sees_and_lifts_a_block_for_every_process(cidade) -> None:
    async with casa(cidade) as um, casa(cidade) as outro, administrador(um) as admin:
        for c in (um, outro):
            for _ in range(6):
                ultima = await c.entrar("203.0.113.7", ERRADA)
            assert ultima.status_code == 429
        (visto,) = await bloqueios(admin)
        assert (visto["tipo"], visto["email"], visto["endereco"]) == ("conta", "gestor@demo.local", None)
        assert (await admin.post(f"/api/bloqueios/{visto['id']}/liberacao")).status_code == 204
        assert await bloqueios(admin) == []
        assert (await admin.post(f"/api/bloqueios/{visto['id']}/liberacao")).status_code == 404
        assert (await um.entrar("203.0.113.7")).status_code == 200
        assert (await outro.entrar("203.0.113.7")).status_code == 200
        # What was lifted is not lifted for good.
        assert [(await um.entrar("203.0.113.7", ERRADA)).status_code for _ in range(6)] == [401] * 5 + [429]
        assert len(await bloqueios(admin)) == 1
    with psycopg.connect(cidade.conninfo) as conn:
        (evento,) = conn.execute(
            "select acao, antes, ator_id is not null from evento where entidade = 'bloqueio'"
        ).fetchall()
    assert evento == ("liberar", {"tipo": "conta", "nome": visto["nome"], "email": "gestor@demo.local"}, True)


async def test_blocked_addresses_browsers_and_invented_accounts_are_told_apart(cidade) -> None:
    async with (
        casa(cidade, limit_auth=Quota(1, 900.0), limit_auth_address=Quota(2, 900.0)) as c,
        administrador(c) as admin,
    ):
        async with c.de("198.51.100.1") as dona:
            await dona.post("/api/auth/login", json=GESTOR)
            for _ in range(2):
                await dona.post("/api/auth/login", json=ERRADA)
        for n in (1, 1, 2, 3):
            await c.entrar("::ffff:203.0.113.7", {"email": f"ninguem{n}@demo.local", "password": "x"})
        vistos = {(b["tipo"], b["email"], b["endereco"]) for b in await bloqueios(admin)}
        assert vistos == {
            ("navegador", "gestor@demo.local", None),
            ("conta", None, None),
            ("endereco", None, "203.0.113.7"),
        }
    with psycopg.connect(cidade.conninfo) as conn:
        guardado = str(conn.execute("select * from bloqueio").fetchall())
    assert "demo.local" not in guardado, "no e-mail is stored with a block"


@pytest.mark.parametrize("email", ["gestor@demo.local", "responsavel@demo.local", "consulta@demo.local"])
async def test_only_administrators_see_and_lift_blocks(cliente, email: str) -> None:
    async with cliente(email) as c:
        assert (await c.get("/api/bloqueios")).status_code == 403
        zero = "00000000-0000-4000-8000-000000000000"
        assert (await c.post(f"/api/bloqueios/{zero}/liberacao")).status_code == 403


async def test_a_block_outlives_the_process_that_counted(cidade) -> None:
    async with casa(cidade) as c:
        for _ in range(6):
            await c.entrar("203.0.113.7", ERRADA)
    async with casa(cidade) as de_novo:
        assert problema(await de_novo.entrar("198.51.100.1"), "muitas-tentativas")["violated-policies"] == ["auth"]
        with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
            conn.execute("update bloqueio set ate = now()")
        assert (await de_novo.entrar("198.51.100.1")).status_code == 200


async def test_a_repeated_refusal_writes_once(cidade) -> None:
    async with casa(cidade, limit_auth=Quota(1, 900.0)) as c:
        for _ in range(2):
            await c.entrar("203.0.113.7", ERRADA)
        with psycopg.connect(cidade.conninfo) as conn:
            antes = conn.execute("select xmin::text, ate from bloqueio").fetchall()
        for _ in range(5):
            await c.entrar("203.0.113.7", ERRADA)
        with psycopg.connect(cidade.conninfo) as conn:
            assert conn.execute("select xmin::text, ate from bloqueio").fetchall() == antes


async def test_old_blocks_are_cleaned_up_and_those_in_force_stay(cidade) -> None:
    async with Database(cidade) as db, db.connection() as conn:
        for n, quando in ((1, "2 days 1 minute"), (2, "1 day"), (3, "-1 minute")):
            alvo = tabela.Target(bytes([n]) * 32, "endereco", address=f"203.0.113.{n}")
            await tabela.note(conn, alvo, 60.0)
            await conn.execute("update bloqueio set ate = now() - %s::interval where chave = %s", [quando, alvo.key])
        assert await tabela.remove_ended(conn) == 1
        assert [b["endereco"] for b in await tabela.in_force(conn)] == ["203.0.113.3"]
