"""The second factor: enrolled, asked for, good once, limited, taken away."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import httpx2
import psycopg
import pyotp
import pytest

from sispat.kernel.sealing import Sealer, Unopened
from sispat.pessoas import second_factor, totp
from sispat.pessoas.operator import operator_context

GESTOR = "gestor@demo.local"


@pytest.mark.parametrize(("quando", "codigo"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_codes_are_those_of_rfc_6238(quando: int, codigo: str) -> None:
    segredo = base64.b32encode(b"12345678901234567890").decode()
    passo = quando // 30
    assert totp.accepted_step(segredo, codigo, 0, quando) == passo
    assert totp.accepted_step(segredo, f"{codigo[:3]} {codigo[3:]}", 0, quando + 30) == passo, "a clock that differs"
    assert totp.accepted_step(segredo, codigo, 0, quando + 61) is None
    assert totp.accepted_step(segredo, codigo, passo, quando) is None, "taken already"


def _codigo(segredo: str, depois: int = 0) -> str:
    return pyotp.TOTP(segredo).at(time.time() + 30 * depois)


async def _entrar(c: httpx2.AsyncClient, email: str = GESTOR) -> dict[str, Any]:
    r = await c.post("/api/auth/login", json={"email": email, "password": "demo"})
    c.cookies.clear()
    assert r.status_code == 200, r.text
    c.headers["Authorization"] = f"Bearer {r.json()['token']}"
    return dict(r.json()["usuario"])


async def _cadastrar(c: httpx2.AsyncClient) -> tuple[str, list[str]]:
    segredo = (await c.post("/api/auth/segundo-fator")).json()["chave"]
    r = await c.put("/api/auth/segundo-fator", json={"codigo": _codigo(segredo, -1)})
    assert r.status_code == 200, r.text
    return segredo, r.json()["codigos"]


async def test_after_the_password_a_code_is_asked_for_and_each_is_good_once(cliente, cidade) -> None:
    async with cliente(GESTOR) as c:
        segredo = (await c.post("/api/auth/segundo-fator")).json()["chave"]
        assert (await c.put("/api/auth/segundo-fator", json={"codigo": "000000"})).status_code == 422
        assert (await _entrar(c))["pendente"] is None, "not asked for before a first code was given"
        segredo, _ = await _cadastrar(c)
        assert (await c.post("/api/auth/segundo-fator")).status_code == 422, "the secret is never shown again"
        assert (await c.get("/api/patrimonios")).status_code == 200, "the session that enrolled goes on"
    async with cliente() as c:
        assert (await _entrar(c))["pendente"] == "codigo"
        velho = c.headers["Authorization"]
        for caminho in ("/api/patrimonios", "/api/auth/sessoes"):
            assert (await c.get(caminho)).json()["step"] == "codigo"
        assert (await c.put("/api/auth/senha", json={"atual": "demo", "nova": "x" * 20})).status_code == 403
        codigo = _codigo(segredo)
        r = await c.post("/api/auth/codigo", json={"codigo": codigo})
        assert r.status_code == 200, r.text
        c.cookies.clear()
        assert (await c.get("/api/auth/me")).status_code == 401, "the token of before opens nothing"
        c.headers["Authorization"] = f"Bearer {r.json()['token']}"
        assert velho != c.headers["Authorization"]
        assert (await c.get("/api/patrimonios")).status_code == 200
        await _entrar(c)
        repetido = await c.post("/api/auth/codigo", json={"codigo": codigo})
        assert (repetido.status_code, repetido.json()["errors"][0]["field"]) == (422, "codigo")
        with psycopg.connect(cidade.conninfo) as conn:
            restam = conn.execute("select max(expira_em - now()) from sessao where falta = 'codigo'").fetchone()
        assert restam[0].total_seconds() <= 600


async def test_a_recovery_code_opens_once(cliente) -> None:
    async with cliente(GESTOR) as c:
        _, codigos = await _cadastrar(c)
        assert len(set(codigos)) == 10
        for estado in (200, 422):
            await _entrar(c)
            r = await c.post("/api/auth/codigo", json={"codigo": codigos[3].upper()})
            assert r.status_code == estado, r.text
            c.cookies.clear()


async def test_guessing_codes_is_limited_however_often_the_password_is_given_again(cliente) -> None:
    async with cliente(GESTOR, limit_write=None) as c:
        segredo, _ = await _cadastrar(c)
        estados = []
        for n in range(6):
            if n < 5:
                await _entrar(c)
            estados.append((await c.post("/api/auth/codigo", json={"codigo": f"00000{n}"})).status_code)
        assert estados == [422] * 5 + [429]
        assert (await c.post("/api/auth/codigo", json={"codigo": _codigo(segredo)})).status_code == 429


async def test_an_administrator_takes_it_away_and_it_is_audited(cliente) -> None:
    async with cliente(GESTOR) as c, cliente("admin@demo.local") as admin:
        await _cadastrar(c)
        (um,) = (await admin.get("/api/usuarios", params={"q": GESTOR})).json()["items"]
        assert um["segundo_fator"] is True
        caminho = f"/api/usuarios/{um['id']}/segundo-fator"
        assert (await admin.delete(caminho)).status_code == 204
        assert (await admin.delete(caminho)).status_code == 404
        assert (await c.get("/api/auth/me")).status_code == 401
        assert (await _entrar(c))["pendente"] is None
        acoes = {e["acao"] for e in (await admin.get("/api/auditoria")).json()}
        assert {"ativar_segundo_fator", "retirar_segundo_fator"} <= acoes


async def test_a_role_that_needs_it_enrols_first_on_pages_and_is_asked_for_it_next_time(navegar) -> None:
    async with navegar(second_factor="gestor,administrador") as pessoa:
        tela = await pessoa.entrar("gestor")
        assert tela.titulos == ["Segundo fator"]
        assert "exige" in tela.texto
        tela = await pessoa.mandar(tela.formulario("/conta/segundo-fator/comecar"))
        assert "<svg" in tela.html
        segredo = re.search(r"<code>([A-Z2-7]{32})</code>", tela.html)[1]
        form = tela.formulario("/conta/segundo-fator")
        errado = await pessoa.mandar(form, codigo_de_entrada="000000")
        assert (errado.estado, segredo in errado.html) == (422, True)
        pronto = await pessoa.mandar(form, codigo_de_entrada=_codigo(segredo, -1))
        assert len(re.findall(r"<code>([a-z2-9]{4}-){3}[a-z2-9]{4}</code>", pronto.html)) == 10
        assert (await pessoa.ver("/patrimonios/novo")).titulos == ["Cadastrar bem"]
        assert segredo not in (await pessoa.ver("/conta/segundo-fator")).html

        # Typed when the session had ended: it comes back after password and code.
        form, dados = await pessoa.bem_preenchido()
        pessoa.http.cookies.clear()
        tela = await pessoa.mandar(form, **dados)
        tela = await pessoa.mandar(tela.formulario("/entrar"), email=GESTOR, password="demo")
        assert tela.titulos == ["Código de segurança"]
        tela = await pessoa.mandar(tela.formulario("/entrar/codigo"), codigo_de_entrada="111111")
        assert tela.estado == 422
        tela = await pessoa.mandar(tela.formulario("/entrar/codigo"), codigo_de_entrada=_codigo(segredo))
        assert tela.formulario("/patrimonios/novo").valores["descricao"] == dados["descricao"]
    async with navegar(second_factor="gestor") as pessoa:
        assert (await pessoa.entrar("consulta")).titulos != ["Segundo fator"]


K1, K2 = "k1" * 20, "k2" * 20


async def test_a_stored_secret_is_sealed_and_moves_to_a_new_key_of_the_settings(cliente, cidade) -> None:
    def guardado() -> str:
        with psycopg.connect(cidade.conninfo) as conn:
            (linha,) = conn.execute("select segredo from segundo_fator").fetchall()
        return str(linha[0])

    async with cliente(GESTOR) as c:
        segredo, codigos = await _cadastrar(c)
        assert guardado() == segredo, "without a key as it is"
    for chaves, feitas in (((K1,), 1), ((K2, K1), 1), ((K2,), 0)):
        antes = guardado()
        async with await psycopg.AsyncConnection.connect(cidade.conninfo) as conn:
            assert await second_factor.recifrar(operator_context(conn), Sealer(chaves)) == (feitas, 1)
            await conn.execute("update segundo_fator set ultimo_passo = 0")
        assert segredo not in guardado()
        assert (guardado() != antes) is bool(feitas)
        async with cliente(secret=",".join(chaves)) as c:
            assert (await _entrar(c))["pendente"] == "codigo"
            assert (await c.post("/api/auth/codigo", json={"codigo": _codigo(segredo)})).status_code == 200
    async with cliente(secret=K1) as c:  # the key is gone: told so, and a recovery code still lets in
        await _entrar(c)
        r = await c.post("/api/auth/codigo", json={"codigo": _codigo(segredo, 1)})
        assert (r.status_code, r.json()["code"]) == (503, "segredo-sem-chave")
        assert (await c.post("/api/auth/codigo", json={"codigo": codigos[0]})).status_code == 200


def test_what_was_sealed_for_one_person_does_not_open_for_another() -> None:
    sealer = Sealer([K1])
    sealed = sealer.seal("JBSWY3DPEHPK3PXP", "ana")
    assert sealer.open(sealed, "ana") == "JBSWY3DPEHPK3PXP"
    assert sealer.seal("JBSWY3DPEHPK3PXP", "ana") != sealed
    for other, whose in ((sealer, "bia"), (Sealer([K2]), "ana"), (Sealer(), "ana")):
        with pytest.raises(Unopened):
            other.open(sealed, whose)
    assert (Sealer([K2, K1]).outdated(sealed, "ana"), sealer.outdated("ABC", "ana"), Sealer().outdated("ABC", "ana")) == (
        True, True, False,
    )  # fmt: skip
