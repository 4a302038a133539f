"""API keys of integrations: made, used, limited, seen, revoked; what they never open."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psycopg
import pytest
from casa import problema
from processos import por_dentro

from esteio.postgres import Dsn
from sispat.kernel.tokens import token_hash
from sispat.settings import Quota

FOLHA = {"email": "folha@cidade.gov.br", "nome": "Folha", "papel": "responsavel", "integracao": True}


async def _integracao(admin: httpx2.AsyncClient, **outros: Any) -> dict[str, Any]:
    setor = (await admin.get("/api/setores")).json()[0]["codigo"]
    r = await admin.post("/api/usuarios", json={**FOLHA, "setores": [setor], **outros})
    assert r.status_code == 201, r.text
    return dict(r.json())


async def _chave(admin: httpx2.AsyncClient, integracao: dict[str, Any], **dados: Any) -> tuple[str, str]:
    r = await admin.post(f"/api/usuarios/{integracao['id']}/chaves", json={"nome": "Servidor da folha", **dados})
    assert r.status_code == 201, r.text
    assert r.headers["cache-control"] == "no-store"
    return r.json()["chave"]["id"], r.json()["segredo"]


@contextlib.asynccontextmanager
async def _com(segredo: str, c: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    """The same service, asked with a key."""
    async with httpx2.AsyncClient(
        transport=c._transport, base_url=c.base_url, headers={"Authorization": f"Bearer {segredo}"}
    ) as outro:
        yield outro


def _um(cidade: Dsn, sql: str, *valores: object) -> Any:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        cursor = conn.execute(sql, valores)
        return cursor.fetchone() if cursor.description else None


async def test_a_key_asks_as_its_integration_until_it_is_revoked(cliente, cidade) -> None:
    async with cliente("admin@demo.local") as admin:
        folha = await _integracao(admin)
        id_, segredo = await _chave(admin, folha)
        assert re.fullmatch(r"sispat_[A-Za-z0-9_-]{43}", segredo)
        async with _com(segredo, admin) as c:
            eu = (await c.get("/api/auth/me")).json()
            assert (eu["nome"], eu["papel"], eu["csrf"], len(eu["setores"])) == ("Folha", "responsavel", None, 1)
            bens = (await c.get("/api/patrimonios")).json()["items"]
            assert {bem["setor"]["id"] for bem in bens} <= set(eu["setores"])
            agente = (await c.get("/api/agentes")).json()[0]["id"]
            troca = {"numeros": [bens[0]["numero"]], "agente_id": agente}
            assert (await c.post("/api/patrimonios/carga", json=troca)).status_code == 200
            assert (await admin.get("/api/auditoria")).json()[0]["ator"] == "Folha"

            assert (await admin.post(f"/api/chaves/{id_}/revogacao")).json()["estado"] == "revogada"
            for pedido in (
                c.get("/api/patrimonios"),
                c.post("/api/patrimonios/carga", json=troca),
                c.get("/api/agentes"),
            ):
                r = await pedido
                assert (r.status_code, r.json()["code"]) == (401, "chave-recusada")
        eventos = (await admin.get("/api/auditoria")).json()
        da_chave = [e for e in eventos if e["entidade"] == "chave"]
        assert [e["acao"] for e in da_chave] == ["usar_chave_recusada", "revogar", "criar"], (
            "a refusal is told once an hour"
        )
        assert da_chave[0]["depois"]["nome"] == "Servidor da folha"
        assert segredo not in str(eventos)
        guardado = _um(cidade, "select (select string_agg(t::text, ' ') from chave_api t) || coalesce("
                               "(select string_agg(convert_from(corpo, 'UTF8'), ' ') from idempotencia), '')")[0]  # fmt: skip
    assert segredo not in guardado


@pytest.mark.parametrize(
    ("fim", "estado"),
    [
        ("update chave_api set criado_em = now() - interval '2 d', expira_em = now() - interval '1 s'", "vencida"),
        ("update usuario set ativo = false where integracao", "desativada"),
    ],
)
async def test_an_expired_key_and_that_of_a_retired_integration_are_dead(
    cliente, cidade, fim: str, estado: str
) -> None:
    async with cliente("admin@demo.local") as admin:
        id_, segredo = await _chave(admin, await _integracao(admin), dias=1)
        async with _com(segredo, admin) as c:
            assert (await c.get("/api/setores")).status_code == 200
            _um(cidade, fim)
            assert (await c.get("/api/setores")).status_code == 401
        chave = (await admin.get(f"/api/chaves/{id_}")).json()
        assert (chave["estado"], chave["recusada_em"] is None) == (estado, False)
        assert (await admin.get("/api/auditoria")).json()[0]["acao"] == "usar_chave_recusada"
        assert (await admin.get("/api/chaves", params={"em_vigor": "true"})).json()["items"] == []


async def test_using_a_key_writes_once_a_minute_at_most(cliente, cidade) -> None:
    async with cliente("admin@demo.local") as admin:
        id_, segredo = await _chave(admin, await _integracao(admin))
        assert (await admin.get(f"/api/chaves/{id_}")).json()["usada_em"] is None
        async with _com(segredo, admin) as c:
            versoes = []
            for recuo in ("0 s", "0 s", "59 s", "61 s"):
                _um(cidade, "update chave_api set usada_em = usada_em - %s::interval where %s <> '0 s'", recuo, recuo)
                antes = _um(cidade, "select xmin::text, usada_em from chave_api")
                await c.get("/api/setores")
                versoes.append(_um(cidade, "select xmin::text, usada_em from chave_api") != antes)
        assert versoes == [True, False, False, True]


async def test_an_integration_has_no_password_is_no_administrator_and_only_it_has_keys(cliente, cidade) -> None:
    async with cliente("admin@demo.local", limit_write=None) as admin:
        r = await admin.post("/api/usuarios", json={**FOLHA, "papel": "administrador"})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "papel")
        folha = await _integracao(admin)
        um = f"/api/usuarios/{folha['id']}"
        r = await admin.put(um, json={**{n: folha[n] for n in ("email", "nome")}, "papel": "administrador"},
                            headers={"If-Match": "1"})  # fmt: skip
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "papel")
        assert (await admin.post(f"{um}/senha-provisoria")).status_code == 422
        for senha in ("", "x", "demo"):
            r = await admin.post("/api/auth/login", json={"email": FOLHA["email"], "password": senha})
            assert r.status_code in (401, 422)
        with pytest.raises(psycopg.errors.CheckViolation):
            _um(cidade, "update usuario set senha_hash = 'x' where integracao")
        pessoa = (await admin.get("/api/usuarios", params={"q": "gestor@"})).json()["items"][0]
        r = await admin.post(f"/api/usuarios/{pessoa['id']}/chaves", json={"nome": "x"})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "nome")
        for dias in (0, 366, "muitos"):
            assert (await admin.post(f"{um}/chaves", json={"nome": "x", "dias": dias})).status_code == 422


async def test_a_key_opens_nothing_as_a_cookie(cliente) -> None:
    async with cliente("admin@demo.local") as admin:
        _, segredo = await _chave(admin, await _integracao(admin))
        async with _com(segredo, admin) as c:
            del c.headers["Authorization"]
            c.cookies.set("sispat_sessao", segredo)
            assert (await c.get("/api/patrimonios")).status_code == 401


async def test_each_key_has_an_allowance_of_its_own(cliente) -> None:
    async with cliente("admin@demo.local", limit_key=Quota(2, 900.0), limit_user=Quota(50, 900.0)) as admin:
        folha = await _integracao(admin)
        segredos = [(await _chave(admin, folha))[1] for _ in range(2)]
        for segredo in segredos:
            async with _com(segredo, admin) as c:
                respostas = [await c.get("/api/setores") for _ in range(3)]
                assert [r.status_code for r in respostas] == [200, 200, 429]
                assert problema(respostas[-1], "limite-excedido")["violated-policies"] == ["key"]


async def test_pages_make_show_and_revoke_keys_without_a_script(navegar, cliente) -> None:
    async with navegar("admin") as pessoa:
        form = (await pessoa.ver("/usuarios/novo")).formulario("/usuarios/novo")
        cartao = await pessoa.mandar(form, nome="Folha", email="folha@x.y", papel="consulta", integracao="true")
        assert "Integração cadastrada" in cartao.texto
        assert "Gerar senha provisória" not in cartao.texto
        nova = next(f for f in cartao.formularios if f.acao.endswith("/chaves"))
        torta = await pessoa.mandar(nova, nome="", dias="400")
        assert (torta.estado, "Validade em dias" in torta.texto) == (422, True)
        feita = await pessoa.mandar(torta.formulario(nova.acao), nome="Servidor", dias="30")
        (segredo,) = set(re.findall(r"sispat_[\w-]{43}", feita.html))
        lista = await pessoa.ver("/chaves")
        assert segredo not in lista.html
        assert segredo[:11] in lista.html
        assert "Servidor" in lista.texto
        revogar = next(f for f in lista.formularios if f.acao.endswith("/revogar"))
        assert "Chave revogada" in (await pessoa.mandar(revogar)).texto
        assert "Servidor" not in (await pessoa.ver("/chaves", em_vigor="true")).texto
        assert "Revogou" in (await pessoa.ver("/auditoria")).texto
        assert (await pessoa.ver("/chaves", pagina="torta")).estado == 422


async def test_the_list_of_keys_is_walked_by_name(cliente) -> None:
    async with cliente("admin@demo.local", limit_write=None) as admin:
        folha, ponto = await _integracao(admin), await _integracao(admin, email="ponto@x.y", nome="Ponto")
        for nome in "cab":
            await _chave(admin, folha, nome=nome)
        await _chave(admin, ponto, nome="a")
        vistas, cursor = [], ""
        while cursor is not None:
            pagina = (await admin.get("/api/chaves", params={"limit": 2, "cursor": cursor})).json()
            vistas += [each["nome"] for each in pagina["items"]]
            cursor = pagina["next"]
        assert vistas == ["a", "a", "b", "c"]
        uma = (await admin.get("/api/chaves", params={"integracao_id": ponto["id"]})).json()["items"]
        assert [each["integracao"] for each in uma] == ["Ponto"]


def test_the_command_line_makes_lists_and_revokes_keys(cidade) -> None:
    banco = {"DATABASE_URL": cidade.url}
    quem = ("--email", "folha@x.y", "--nome", "Folha", "--papel", "consulta", "--integracao")
    feito = por_dentro("usuario", "criar", *quem, **banco)
    assert feito.returncode == 0, feito.stderr
    feito = por_dentro("chave", "criar", "--integracao", "folha@x.y", "--nome", "Servidor", "--dias", "9", **banco)
    assert feito.returncode == 0, feito.stderr
    segredo = feito.stdout.strip()
    assert _um(cidade, "select hash from chave_api") == (token_hash(segredo),)
    linha = por_dentro("chave", "listar", "--integracao", "folha@x.y", **banco).stdout.rstrip("\n").split("\t")
    assert linha[1:5] == ["Folha", "Servidor", segredo[:11], "em_vigor"]
    feito = por_dentro("chave", "revogar", linha[0], **banco)
    assert (feito.returncode, "Servidor" in feito.stdout) == (0, True), feito.stderr
    assert por_dentro("chave", "listar", **banco).stdout.split("\t")[4] == "revogada"
    assert por_dentro("chave", "revogar", "x", **banco).returncode == 2
    acoes = (
        "select array_agg(acao order by id) from evento where entidade = 'chave' and requisicao = 'linha de comando'"
    )
    assert _um(cidade, acoes) == (["criar", "revogar"],)


async def test_the_audit_names_the_key_beside_its_integration(cliente, cidade, navegar) -> None:
    """Created alone and in a lot, corrected, handed over, exported: each record says which key."""
    async with cliente("admin@demo.local") as admin:
        folha = await _integracao(admin, papel="gestor", setores=[])
        _, segredo = await _chave(admin, folha)
        async with _com(segredo, admin) as c:
            um = (await c.get("/api/patrimonios", params={"situacao": "em_uso"})).json()["items"][0]
            corpo = {f"{ligado}_id": um[ligado]["id"] for ligado in ("classe", "setor", "local", "agente")} | {
                "descricao": "Mesa",
                "valor": "10.00",
                "data_aquisicao": "2026-01-31",
            }
            criado = (await c.post("/api/patrimonios", json=corpo)).json()
            lote = await c.post("/api/patrimonios/lote", json={"items": [corpo]})
            assert lote.status_code == 201, lote.text
            mudado = await c.patch(
                f"/api/patrimonios/{criado['id']}",
                json={"marca": "Outra"},
                headers={"If-Match": f'"{criado["versao"]}"'},
            )
            assert mudado.status_code == 200, mudado.text
            assert (await c.get("/api/patrimonios.csv", params={"q": str(criado["numero"])})).status_code == 200
        feitos = (await admin.get("/api/auditoria", params={"pessoa": "Folha"})).json()
        assert [(e["acao"], e["ator"], e["chave"]) for e in feitos] == [
            (acao, "Folha", "Servidor da folha") for acao in ("exportar_bens", "editar", "criar", "criar")
        ]
        historico = (await admin.get(f"/api/patrimonios/{criado['id']}/historico")).json()
        assert {e["chave"] for e in historico} == {"Servidor da folha"}
        assert (await admin.get("/api/auditoria", params={"acao": "entrar"})).json()[0]["chave"] is None
    async with navegar("admin") as pessoa:
        assert "Folha chave Servidor da folha" in (await pessoa.ver("/auditoria")).texto


async def test_a_refusal_says_what_is_refused_in_words(cliente) -> None:
    async with cliente("consulta@demo.local") as c:
        recusa = (await c.post("/api/setores", json={"codigo": "X", "nome": "X"})).json()
        assert recusa["detail"].startswith("O papel “Consulta” não permite mudar os cadastros."), recusa
        recusa = (await c.get("/api/bloqueios", headers={"Accept-Language": "en"})).json()
        assert recusa["detail"].startswith("The role “Read only” does not allow seeing the blocks."), recusa
