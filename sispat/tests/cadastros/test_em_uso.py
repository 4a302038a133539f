"""Retired registers take nothing new, by no way; a setor that holds assets stays; no setor is above itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import psycopg
import pytest

from esteio.postgres import Dsn


async def bem(c: httpx2.AsyncClient, **filtros: str) -> dict[str, Any]:
    lista = (await c.get("/api/patrimonios", params={"limit": 1, **filtros})).json()
    return dict((await c.get(f"/api/patrimonios/{next(iter(lista['items']))['id']}")).json())


def novo(de: dict[str, Any], **outros: object) -> dict[str, Any]:
    return {
        "descricao": "Mesa de reunião",
        "valor": "10.00",
        "data_aquisicao": "2026-01-31",
        **{f"{parte}_id": de[parte]["id"] for parte in ("classe", "setor", "local", "agente")},
        **outros,
    }


def aposentar(dsn: Dsn, tabela: str, id_: str) -> None:
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute(f"update {tabela} set ativo = false where id = %s", [id_])


def setor_vazio(dsn: Dsn, codigo: str, *, ativo: bool = True) -> dict[str, str]:
    """A setor without assets, with a local and an agente of its own."""
    with psycopg.connect(dsn.conninfo) as conn:
        setor = conn.execute(
            "insert into setor (codigo, nome) values (%s, %s) returning id", [codigo, codigo]
        ).fetchone()
        local = conn.execute("insert into local (setor_id, nome) values (%s, 'Sala') returning id", setor).fetchone()
        agente = conn.execute(
            "insert into agente (nome, matricula, setor_id) values ('Ana', %s, %s) returning id", [codigo, *setor]
        ).fetchone()
        if not ativo:
            conn.execute("update setor set ativo = false where id = %s", setor)
    return {"setor_id": str(setor[0]), "local_id": str(local[0]), "agente_id": str(agente[0])}


def campos(r: httpx2.Response) -> set[str]:
    assert r.status_code == 422, r.text
    return {erro["field"] for erro in r.json()["errors"]}


@pytest.mark.parametrize("tabela", ["classe", "local"])
async def test_a_retired_register_takes_no_asset_and_keeps_those_it_has(cliente, cidade: Dsn, tabela: str) -> None:
    async with cliente("admin@demo.local") as c:
        velho = await bem(c)
        aposentar(cidade, tabela, velho[tabela]["id"])
        assert campos(await c.post("/api/patrimonios", json=novo(velho))) == {f"{tabela}_id"}
        edicao = {n: v for n, v in novo(velho).items() if n not in ("setor_id", "local_id", "agente_id")}
        versao = {"If-Match": f'"{velho["versao"]}"'}
        r = await c.put(f"/api/patrimonios/{velho['id']}", json={**edicao, "marca": "Outra"}, headers=versao)
        assert r.status_code == 200, r.text


@pytest.mark.parametrize("tabela", ["local", "agente"])
async def test_no_asset_is_handed_to_what_is_retired(cliente, cidade: Dsn, tabela: str) -> None:
    async with cliente("admin@demo.local") as c:
        velho, outro = await bem(c), setor_vazio(cidade, "VAZIO")
        aposentar(cidade, tabela, outro[f"{tabela}_id"])
        r = await c.put(
            f"/api/patrimonios/{velho['id']}/carga", json=outro, headers={"If-Match": f'"{velho["versao"]}"'}
        )
        assert campos(r) == {f"{tabela}_id"}


async def test_a_retired_setor_takes_neither_new_assets_nor_those_of_others(cliente, cidade: Dsn) -> None:
    async with cliente("admin@demo.local") as c:
        velho, fechado = await bem(c), setor_vazio(cidade, "FECHADO", ativo=False)
        assert campos(await c.post("/api/patrimonios", json=novo(velho, **fechado))) == {"setor_id"}
        r = await c.put(
            f"/api/patrimonios/{velho['id']}/carga", json=fechado, headers={"If-Match": f'"{velho["versao"]}"'}
        )
        assert campos(r) == {"setor_id"}
        local = {"setor_id": fechado["setor_id"], "nome": "Outra sala"}
        assert campos(await c.post("/api/locais", json=local)) == {"setor_id"}
        agente = {"setor_id": fechado["setor_id"], "nome": "Rui", "matricula": "R-1"}
        assert campos(await c.post("/api/agentes", json=agente)) == {"setor_id"}
        filho = {"codigo": "FILHO", "nome": "Filho", "pai_id": fechado["setor_id"]}
        assert campos(await c.post("/api/setores", json=filho)) == {"pai_id"}


async def test_a_setor_that_holds_assets_is_not_retired(cliente, cidade: Dsn) -> None:
    async with cliente("admin@demo.local") as c:
        cheio = (await bem(c))["setor"]["id"]
        setor = (await c.get(f"/api/setores/{cheio}")).json()
        dados = {n: setor[n] for n in ("codigo", "nome", "pai_id")} | {"ativo": False}
        r = await c.put(f"/api/setores/{cheio}", json=dados, headers={"If-Match": f'"{setor["versao"]}"'})
        assert campos(r) == {"ativo"}
        assert (await c.get(f"/api/setores/{cheio}")).json()["ativo"] is True


async def test_a_setor_is_neither_directly_nor_through_others_above_itself(cliente) -> None:
    async with cliente("admin@demo.local") as c:
        ids: list[str] = []
        for codigo in ("A", "B", "C"):
            dados = {"codigo": codigo, "nome": codigo, "pai_id": ids[-1] if ids else None}
            ids.append((await c.post("/api/setores", json=dados)).json()["id"])
        for acima in ids:
            dados = {"codigo": "A", "nome": "A", "pai_id": acima}
            r = await c.put(f"/api/setores/{ids[0]}", json=dados, headers={"If-Match": '"1"'})
            assert campos(r) == {"pai_id"}


async def test_two_halves_of_a_circle_sent_together_leave_no_circle(cliente, cidade: Dsn) -> None:
    async with cliente("admin@demo.local") as c:
        criados = [await c.post("/api/setores", json={"codigo": x, "nome": x}) for x in "AB"]
        a, b = (r.json()["id"] for r in criados)
        respostas = await asyncio.gather(
            c.put(f"/api/setores/{a}", json={"codigo": "A", "nome": "A", "pai_id": b}, headers={"If-Match": '"1"'}),
            c.put(f"/api/setores/{b}", json={"codigo": "B", "nome": "B", "pai_id": a}, headers={"If-Match": '"1"'}),
        )
    assert sorted(r.status_code for r in respostas) == [200, 422]


def test_an_asset_on_its_way_in_and_a_retirement_wait_for_each_other(cidade: Dsn) -> None:
    """Whichever commits first, no retired setor is left with an asset."""
    vazio = setor_vazio(cidade, "CORRIDA")
    cria = (
        "insert into patrimonio (numero, descricao, classe_id, valor, data_aquisicao, data_disponivel, conservacao,"
        " setor_id, local_id, agente_id) select 999999, 'Mesa', (select id from classe where ativo limit 1), 1,"
        " '2026-01-01', '2026-01-01', 'bom', %(setor_id)s, %(local_id)s, %(agente_id)s"
    )
    with psycopg.connect(cidade.conninfo) as um, psycopg.connect(cidade.conninfo, autocommit=True) as outro:
        um.execute(cria, vazio)
        outro.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            outro.execute("update setor set ativo = false where id = %(setor_id)s", vazio)
        um.commit()
        with pytest.raises(psycopg.errors.CheckViolation) as erro:
            outro.execute("update setor set ativo = false where id = %(setor_id)s", vazio)
    assert erro.value.diag.constraint_name == "setor_vazio_ao_sair"


async def test_a_responsavel_hands_assets_to_agentes_of_their_setores_only(cliente, cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        meus = [
            str(s)
            for (s,) in conn.execute(
                "select setor_id from usuario_setor us join usuario u on u.id = us.usuario_id"
                " where u.email = 'responsavel@demo.local'"
            )
        ]
        de_fora = conn.execute(
            "select id from agente where not setor_id = any(%s::uuid[]) and ativo limit 1", [meus]
        ).fetchone()
    async with cliente("responsavel@demo.local") as c:
        meu = await bem(c)
        dados = {f"{parte}_id": meu[parte]["id"] for parte in ("setor", "local", "agente")}
        versao = {"If-Match": f'"{meu["versao"]}"'}
        r = await c.put(
            f"/api/patrimonios/{meu['id']}/carga", json={**dados, "agente_id": str(de_fora[0])}, headers=versao
        )
        assert campos(r) == {"agente_id"}
        with psycopg.connect(cidade.conninfo) as conn:  # somebody from outside may keep what they have
            conn.execute("update patrimonio set agente_id = %s where id = %s", [de_fora[0], meu["id"]])
        outro = (await c.get("/api/locais", params={"setor": meu["setor"]["id"], "ativos": "true"})).json()
        local = next(x["id"] for x in outro if x["id"] != dados["local_id"])
        r = await c.put(
            f"/api/patrimonios/{meu['id']}/carga",
            json={**dados, "agente_id": str(de_fora[0]), "local_id": local},
            headers=versao,
        )
        assert r.status_code == 200, json.dumps(r.json())
