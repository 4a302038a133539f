"""Passwords: which are refused, changing one's own, and those given by others."""

from __future__ import annotations

import psycopg
import pytest
from argon2 import PasswordHasher

from sispat.kernel import devices
from sispat.pessoas.password_rules import fault

DEMO = "gestor@demo.local"
NOVA = "quatro patas verdes dormem"


@pytest.mark.parametrize(
    "senha",
    [
        "curta", "123456789", "1234567890", "0987654321", "qwertyuiop", "asdfghjkl1", "abcdefghij", "aaaaaaaaaaaa",
        "abababababab", "senha12345", "Senha@2026!", "S3nh4S1st3m4", "prefeitura2026", "Prefeitura@2026",
        "P@ssw0rd2026", "Flamengo1981!", "mariajose1990", "iloveyou2024", "admin123456", "jesuscristo7", "sispat-sispat",
        "patrimonio01", "Ana.Souza.99", "souza souza 1", "ana.lima@x.gov.br", "analima12345", "11111111112",
    ],
)  # fmt: skip
def test_what_is_tried_first_is_refused(senha: str) -> None:
    assert fault(senha, "Ana Souza Lima", "ana.lima@x.gov.br"), senha


@pytest.mark.parametrize(
    "senha",
    [
        NOVA, "correct horse battery staple", "o gato mia às 3 da tarde", "xk7-2mfw-qzpt", "tijolo azul numa cesta",
        "7h4kq-9wz2p", "ÇãoÊíÕü-çãoêí", "平和な一日を過ごす私です", "  espaços também valem ",
    ],
)  # fmt: skip
def test_what_nobody_guesses_passes_whatever_its_characters(senha: str) -> None:
    assert fault(senha, "Ana Souza Lima", "ana.lima@x.gov.br") is None, senha


def test_lengths_are_counted_in_characters() -> None:
    assert fault("çãoêíõúwz")
    assert fault("çãoêíõúwzq") is None
    assert fault("çãoêíõúwzq" * 21)


async def test_passwords_are_hashed_as_rfc_9106_asks_and_an_older_hash_is_replaced_when_its_owner_signs_in(
    real_hasher: PasswordHasher, cliente, cidade
) -> None:
    assert real_hasher.hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    older = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("demo")
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        conn.execute("update usuario set senha_hash = %s where email = %s", [older, DEMO])
        stored = []
        for _ in range(2):
            async with cliente(DEMO):
                stored += conn.execute("select senha_hash from usuario where email = %s", [DEMO]).fetchone() or ()
    assert ",t=1," in stored[0]
    assert stored[1] == stored[0]


async def test_a_changed_password_ends_the_other_sessions_and_is_the_one_that_counts(cliente) -> None:
    async with cliente(DEMO) as c, cliente() as outro:
        entrada = {"email": DEMO, "password": "demo"}
        token = (await outro.post("/api/auth/login", json=entrada)).json()["token"]
        outro.cookies.clear()
        bearer = {"Authorization": f"Bearer {token}"}
        for atual, nova, campo in (("demo", "demo", "nova"), ("demo", "senha12345", "nova"), ("x", NOVA, "atual")):
            r = await c.put("/api/auth/senha", json={"atual": atual, "nova": nova})
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, campo)
        assert (await outro.get("/api/auth/me", headers=bearer)).status_code == 200
        assert (await c.put("/api/auth/senha", json={"atual": "demo", "nova": NOVA})).status_code == 204
        assert (await outro.get("/api/auth/me", headers=bearer)).status_code == 401
        assert (await c.get("/api/auth/me")).status_code == 200
        assert (await outro.post("/api/auth/login", json=entrada)).status_code == 401
        assert (await outro.post("/api/auth/login", json={**entrada, "password": NOVA})).status_code == 200
    async with cliente("admin@demo.local") as c:
        eventos = (await c.get("/api/auditoria")).json()
        assert "trocar_senha" in {e["acao"] for e in eventos}
        assert NOVA not in str(eventos)


async def test_guessing_at_the_present_password_is_limited_as_signing_in_is(cliente) -> None:
    async with cliente(DEMO, limit_write=None) as c:
        estados = [
            (await c.put("/api/auth/senha", json={"atual": f"palpite {n}", "nova": NOVA})).status_code for n in range(6)
        ]
        assert estados == [422] * 5 + [429]
        assert (await c.put("/api/auth/senha", json={"atual": "demo", "nova": NOVA})).status_code == 429
    async with cliente("admin@demo.local") as c:
        (bloqueio,) = (await c.get("/api/bloqueios")).json()
        assert bloqueio["email"] == DEMO


async def test_a_provisional_password_opens_nothing_but_its_own_change(cliente, navegar) -> None:
    async with cliente("admin@demo.local") as c:
        itens = (await c.get("/api/usuarios", params={"q": DEMO})).json()["items"]
        senha = (await c.post(f"/api/usuarios/{itens[0]['id']}/senha-provisoria")).json()["senha"]
    async with cliente() as c:
        r = await c.post("/api/auth/login", json={"email": DEMO, "password": senha})
        c.cookies.clear()
        c.headers["Authorization"] = f"Bearer {r.json()['token']}"
        assert (await c.get("/api/auth/me")).json()["pendente"] == "senha"
        setor = {"codigo": "NOVO", "nome": "Setor novo"}
        for metodo, caminho in (("GET", "/api/patrimonios"), ("GET", "/api/auth/sessoes"), ("POST", "/api/setores")):
            r = await c.request(metodo, caminho, json=setor if metodo == "POST" else None)
            assert (r.status_code, r.json()["codigo"], r.json()["step"]) == (403, "passo-pendente", "senha")
        assert (await c.get("/api/patrimonios")).json()["page"] == "/conta/senha"
    async with navegar() as pessoa:
        form = (await pessoa.ver("/entrar")).formulario("/entrar")
        tela = await pessoa.mandar(form, email=DEMO, password=senha)
        assert tela.titulos == ["Trocar a senha"]
        assert "provisória" in tela.texto
        assert (await pessoa.ver("/patrimonios")).titulos == ["Trocar a senha"]
        form = tela.formulario("/conta/senha")
        errada = await pessoa.mandar(form, senha_atual=senha, senha_nova=NOVA, senha_repetida="outra")
        assert (errada.estado, "não são iguais" in errada.texto) == (422, True)
        assert NOVA not in errada.html
        conta = await pessoa.mandar(form, senha_atual=senha, senha_nova=NOVA, senha_repetida=NOVA)
        assert "Senha trocada" in conta.texto
        assert (await pessoa.ver("/patrimonios")).titulos != ["Trocar a senha"]
        jar = next(cookie.value for cookie in pessoa.http.cookies.jar if cookie.name.endswith("sispat_dispositivo"))
        assert jar.count("~") == 0
        assert devices.recognize(jar, DEMO, "outro") is None


async def test_a_provisional_password_grows_old_one_s_own_does_not(cliente, cidade) -> None:
    def envelhecer(dias: str) -> None:
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update usuario set senha_dada_em = now() - %s::interval", [dias])

    async with cliente("admin@demo.local") as admin, cliente() as c:
        (gestor,) = (await admin.get("/api/usuarios", params={"q": DEMO})).json()["items"]
        um = f"/api/usuarios/{gestor['id']}"
        envelhecer("1000 d")
        assert (await c.post("/api/auth/login", json={"email": DEMO, "password": "demo"})).status_code == 200
        senha = (await admin.post(f"{um}/senha-provisoria")).json()["senha"]
        entrada = {"email": DEMO, "password": senha}
        envelhecer("6 d 23 h")
        assert (await c.post("/api/auth/login", json=entrada)).status_code == 200
        envelhecer("7 d 1 s")
        r = await c.post("/api/auth/login", json=entrada)
        assert (r.status_code, "venceu" in r.json()["detail"]) == (401, True)
        assert (await admin.get("/api/auditoria")).json()[0]["acao"] == "entrar_recusado"
        r = await c.post("/api/auth/login", json={**entrada, "password": "outra"})
        assert "venceu" not in r.json()["detail"], "only who has it learns that it is too old"
        nova = (await admin.post(f"{um}/senha-provisoria")).json()["senha"]
        assert (await c.post("/api/auth/login", json={**entrada, "password": nova})).status_code == 200
