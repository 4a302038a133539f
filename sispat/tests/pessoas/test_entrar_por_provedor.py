"""Signing in with a provider, which is asked over HTTP: who is let in, what is not believed, what happens when it is away."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import psycopg
import pytest
from aplicacao import abrir
from leitor import Tela
from provedor import CLIENT, SECRET, Provedor

from esteio.postgres import Dsn
from sispat.settings import InvalidSettings, load_settings

GESTOR = "gestor@demo.local"
VOLTA = "http://sispat.test/entrar/provedor/retorno"
CPF = "52998224725"


@pytest.fixture(scope="module")
def _provedor() -> Iterator[Provedor]:
    with Provedor(VOLTA) as provedor:
        yield provedor


@pytest.fixture
def provedor(_provedor: Provedor, monkeypatch: pytest.MonkeyPatch) -> Provedor:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _provedor.pessoa = {"sub": "1", "email": GESTOR, "email_verified": True}
    _provedor.algoritmo, _provedor.chave, _provedor.publicadas, _provedor.fora = "RS256", 0, [0], False
    _provedor.pedidos.clear()
    return _provedor


@contextlib.asynccontextmanager
async def _servico(cidade: Dsn, provedor: Provedor, **ajustes: object) -> AsyncIterator[httpx2.AsyncClient]:
    oidc = {"oidc_issuer": provedor.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    async with abrir(cidade, **oidc, **ajustes) as c:
        yield c


async def _ida(c: httpx2.AsyncClient, proximo: str = "/patrimonios?q=mesa") -> str:
    """To the provider, where the person is signed in, and on: the address it sends the browser back to."""
    r = await c.get("/entrar/provedor", params={"proximo": proximo})
    assert r.status_code == 303, r.text
    async with httpx2.AsyncClient() as navegador:
        return str((await navegador.get(r.headers["location"])).headers["location"])


async def _entrar(c: httpx2.AsyncClient, proximo: str = "/patrimonios?q=mesa") -> httpx2.Response:
    return await c.get(await _ida(c, proximo))


def _sql(cidade: Dsn, texto: str, *valores: object) -> list[Any]:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        cursor = conn.execute(texto, valores)
        return cursor.fetchall() if cursor.description else []


async def test_who_is_there_and_active_gets_in_without_a_password(cidade, provedor) -> None:
    _sql(cidade, "update usuario set senha_provisoria = true where email = %s", GESTOR)
    antes = _sql(cidade, "select id, senha_hash from usuario order by id")
    async with _servico(cidade, provedor) as c:
        entrada = Tela(await c.get("/entrar", params={"proximo": "/patrimonios?q=mesa"}))
        assert "Entrar com gov.br" in entrada.texto
        assert "/entrar/provedor?proximo=%2Fpatrimonios%3Fq%3Dmesa" in entrada.links
        pedido = parse_qs(urlsplit((await c.get("/entrar/provedor")).headers["location"]).query)
        assert pedido["code_challenge_method"] == ["S256"]
        r = await _entrar(c)
        assert (r.status_code, r.headers["location"]) == (303, "/patrimonios?q=mesa")
        assert "sispat_provedor" not in c.cookies
        assert (await c.get("/patrimonios")).status_code == 200, "a provisional password does not hold it up"
        assert (await c.get("/api/auth/me")).json()["email"] == GESTOR
        for mau in ("//mau.example", "https://mau.example/"):
            assert (await _entrar(c, mau)).headers["location"] == "/"
    assert _sql(cidade, "select id, senha_hash from usuario order by id") == antes
    assert _sql(cidade, "select acao from evento order by id desc limit 1") == [("entrar_por_provedor",)]


async def test_nobody_is_made_and_whoever_is_not_let_in_is_audited(cidade, provedor) -> None:
    quantos = _sql(cidade, "select count(*) from usuario")
    _sql(
        cidade,
        "insert into usuario (email, nome, papel, senha_hash, integracao) values ('folha@x.y', 'F', 'consulta', '', true)",
    )
    _sql(cidade, "update usuario set ativo = false where email = 'consulta@demo.local'")
    async with _servico(cidade, provedor) as c:
        for email in ("estranho@x.y", "consulta@demo.local", "folha@x.y"):
            provedor.pessoa = {"email": email, "email_verified": True}
            r = await _entrar(c)
            assert (r.status_code, "Peça a um administrador" in r.text) == (401, True)
            assert (await c.get("/api/auth/me")).status_code == 401
            assert _sql(cidade, "select acao, ator_id from evento order by id desc limit 1") == [
                ("entrar_recusado", None)
            ]
            assert email not in str(_sql(cidade, "select depois from evento order by id desc limit 1"))
        for pessoa in ({"email": GESTOR}, {"email": GESTOR, "email_verified": False}, {"email": ["x"]}, {}):
            provedor.pessoa = pessoa
            assert (await _entrar(c)).status_code == 401, "an e-mail that nobody verified is anybody's"
    assert _sql(cidade, "select count(*) - 1 from usuario") == quantos
    assert _sql(cidade, "select count(*) from sessao") == [(0,)]


async def test_the_cpf_of_the_account_finds_the_person_where_the_settings_say_so(cidade, provedor, cliente) -> None:
    async with cliente("admin@demo.local") as admin:
        (gestor,) = (await admin.get("/api/usuarios", params={"q": GESTOR})).json()["items"]
        dados = {name: gestor[name] for name in ("email", "nome", "papel")} | {"cpf": "529.982.247-25"}
        um = f"/api/usuarios/{gestor['id']}"
        assert (await admin.put(um, json={**dados, "cpf": "52998224724"}, headers={"If-Match": "1"})).status_code == 422
        assert (await admin.put(um, json=dados, headers={"If-Match": "1"})).json()["cpf"] == CPF
        outro = {"email": "outro@x.y", "nome": "Outro", "papel": "consulta", "cpf": CPF}
        r = await admin.post("/api/usuarios", json=outro)
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "cpf")
        assert CPF not in (await admin.get("/api/auditoria")).text
    async with _servico(cidade, provedor, oidc_match="cpf", oidc_claim="sub") as c:
        provedor.pessoa = {"sub": CPF, "email": "pessoal@x.y"}
        assert (await _entrar(c)).status_code == 303
        assert (await c.get("/api/auth/me")).json()["email"] == GESTOR
        for sub in ("11144477735", "1", ""):
            provedor.pessoa = {"sub": sub}
            assert (await _entrar(c)).status_code == 401


@pytest.mark.parametrize(
    "falso",
    [
        {"iss": "https://outro.example"}, {"aud": "outro"}, {"aud": [CLIENT, "outro"], "azp": "outro"},
        {"nonce": "de outra entrada"}, {"exp": int(time.time()) - 3600}, {"iat": None}, {"at_hash": "x"},
    ],
    ids=lambda falso: next(iter(falso)),
)  # fmt: skip
async def test_a_token_that_is_not_for_this_sign_in_is_not_believed(cidade, provedor, falso) -> None:
    async with _servico(cidade, provedor) as c:
        provedor.pessoa |= falso
        assert (await _entrar(c)).status_code == 401
        assert (await c.get("/api/auth/me")).status_code == 401


async def test_only_a_key_that_the_provider_publishes_signs_and_a_new_one_is_learned(cidade, provedor) -> None:
    async with _servico(cidade, provedor) as c:
        provedor.algoritmo = "none"
        assert (await _entrar(c)).status_code == 401
        provedor.algoritmo = "RS256"
        assert (await _entrar(c)).status_code == 303
        provedor.chave = 1
        assert (await _entrar(c)).status_code == 401, "it publishes no such key"
        provedor.publicadas = [1]
        lidas = provedor.pedidos.count("/keys")
        assert (await _entrar(c)).status_code == 401, "what it publishes was read less than a minute ago"
        assert provedor.pedidos.count("/keys") == lidas
    async with _servico(cidade, provedor) as c:
        assert (await _entrar(c)).status_code == 303


async def test_only_the_browser_that_began_ends_it_and_once(cidade, provedor) -> None:
    async with _servico(cidade, provedor) as c:
        volta = await _ida(c)
        guardado = c.cookies["sispat_provedor"]
        c.cookies.clear()
        assert (await c.get(volta)).status_code == 401, "another browser"
        for torto in ("", "7b7d", "zz", "00" * 40):
            assert (await c.get(volta, headers={"Cookie": f"sispat_provedor={torto}"})).status_code == 401
        outra = volta.replace("state=", "state=x")
        assert (await c.get(outra, headers={"Cookie": f"sispat_provedor={guardado}"})).status_code == 401
        assert (await c.get(volta, headers={"Cookie": f"sispat_provedor={guardado}"})).status_code == 303
        c.cookies.clear()
        assert (await c.get(volta, headers={"Cookie": f"sispat_provedor={guardado}"})).status_code == 401, (
            "the code is used"
        )
        r = await c.get("/entrar/provedor/retorno", params={"error": "access_denied", "state": "x"})
        assert (r.status_code, "Comece de novo" in r.text) == (401, True)


async def test_a_second_factor_is_asked_for_all_the_same(cidade, provedor) -> None:
    _sql(cidade, "insert into segundo_fator (usuario_id, segredo, ativo) select id, %s, true from usuario where email = %s",
         "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", GESTOR)  # fmt: skip
    async with _servico(cidade, provedor) as c:
        r = await _entrar(c)
        assert (r.status_code, Tela(r).formulario("/entrar/codigo").valores["proximo"]) == (200, "/patrimonios?q=mesa")
        assert (await c.get("/api/patrimonios")).json()["code"] == "passo-pendente"


async def test_while_the_provider_is_away_passwords_go_on(cidade, provedor) -> None:
    async with _servico(cidade, provedor) as c:
        provedor.fora = True
        r = await c.get("/entrar/provedor")
        assert (r.status_code, r.headers["retry-after"], "não respondeu" in r.text) == (503, "10", True)
        assert Tela(r).formulario("/entrar")
        provedor.fora = False
        volta = await _ida(c)
        provedor.fora = True
        assert (await c.get(volta)).status_code == 503
        r = await c.post("/api/auth/login", json={"email": GESTOR, "password": "demo"})
        assert r.status_code == 200
    async with abrir(cidade) as c:
        assert (await c.get("/entrar/provedor")).status_code == 404
        assert "Entrar com" not in (await c.get("/entrar")).text


def test_the_provider_is_asked_over_tls_only() -> None:
    assert (
        load_settings({"SISPAT_OIDC_ISSUER": "https://sso.acesso.gov.br/"}).oidc_issuer == "https://sso.acesso.gov.br/"
    )
    assert load_settings({"SISPAT_OIDC_ISSUER": "não"}).oidc_issuer is None
    with pytest.raises(InvalidSettings):
        load_settings({"SISPAT_OIDC_ISSUER": "http://sso.acesso.gov.br/"})
