"""Signing in and out through the API."""

import pytest

from sispat.kernel import tokens


async def test_login_answers_with_cookie_and_token_and_both_open_the_session(cliente) -> None:
    async with cliente() as c:
        r = await c.post("/api/auth/login", json={"email": "Gestor@demo.local ", "password": "demo"})
        assert r.status_code == 200
        assert r.headers["cache-control"] == "no-store"
        cookie = r.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert (await c.get("/api/auth/me")).json()["papel"] == "gestor"  # by cookie
        c.cookies.clear()
        assert (await c.get("/api/auth/me")).status_code == 401
        eu = await c.get("/api/auth/me", headers={"Authorization": f"Bearer {r.json()['token']}"})
        assert eu.json()["email"] == "gestor@demo.local"


@pytest.mark.parametrize(("email", "senha"), [("gestor@demo.local", "errada"), ("ninguem@demo.local", "demo")])
async def test_wrong_password_and_unknown_email_look_the_same(cliente, email: str, senha: str) -> None:
    async with cliente() as c:
        r = await c.post("/api/auth/login", json={"email": email, "password": senha})
        assert r.status_code == 401
        assert r.headers["content-type"] == "application/problem+json"
        assert r.headers["www-authenticate"] == "Bearer"
        assert r.json()["detail"] == "E-mail ou senha incorretos."
        assert "set-cookie" not in r.headers


async def test_logout_ends_the_session_for_good(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        assert (await c.post("/api/auth/logout")).status_code == 204
        assert (await c.get("/api/auth/me")).status_code == 401


async def test_a_write_by_cookie_needs_the_csrf_token_and_one_by_token_does_not(cliente) -> None:
    async with cliente() as c:
        r = await c.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})
        setor = {"codigo": "NOVO", "nome": "Setor novo"}
        recusado = await c.post("/api/setores", json=setor)
        assert (recusado.status_code, recusado.json()["codigo"]) == (403, "csrf")
        outro = tokens.csrf_for(tokens.new_token())
        assert (await c.post("/api/setores", json=setor, headers={"X-CSRF-Token": outro})).status_code == 403
        csrf = r.json()["usuario"]["csrf"]
        assert (await c.post("/api/setores", json=setor, headers={"X-CSRF-Token": csrf})).status_code == 201


async def test_sessions_end_when_idle_and_when_old(cliente, cidade) -> None:
    import psycopg

    async with cliente("gestor@demo.local", session_idle=3600.0, session_max=7200.0) as c:
        with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
            conn.execute("update sessao set vista_em = now() - interval '59 min'")
            assert (await c.get("/api/auth/me")).status_code == 200
            assert conn.execute("select now() - vista_em < '1 min' from sessao").fetchone() == (True,)
            conn.execute("update sessao set vista_em = now() - interval '61 min'")
            assert (await c.get("/api/auth/me")).status_code == 401
            conn.execute("update sessao set vista_em = now(), expira_em = now() - interval '1 second'")
            assert (await c.get("/api/auth/me")).status_code == 401


async def test_a_retired_user_is_out_at_once(cliente, cidade) -> None:
    import psycopg

    async with cliente("consulta@demo.local") as c:
        with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
            conn.execute("update usuario set ativo = false where email = 'consulta@demo.local'")
        assert (await c.get("/api/auth/me")).status_code == 401
        r = await c.post("/api/auth/login", json={"email": "consulta@demo.local", "password": "demo"})
        assert r.status_code == 401


async def test_only_the_hash_of_a_token_is_stored(cliente, cidade) -> None:
    import psycopg

    async with cliente("gestor@demo.local") as c:
        token = c.headers["Authorization"].removeprefix("Bearer ")
        with psycopg.connect(cidade.conninfo) as conn:
            (guardado,) = conn.execute("select token_hash from sessao").fetchone()
    assert guardado == tokens.token_hash(token)
    assert token.encode() not in guardado


@pytest.mark.parametrize("cabecalho", ["Bearer ", "Bearer x", "Basic YTpi", "Bearer \x7f\x00", "Bearer é"])
async def test_any_fake_authorization_is_401(cliente, cabecalho: str) -> None:
    async with cliente() as c:
        r = await c.get("/api/patrimonios", headers={"Authorization": cabecalho.encode()})
        assert r.status_code == 401
