"""A supplier's CPF is shown whole to those who may correct it, to others in part, wherever it leaves; a CNPJ to all."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx2
import psycopg
import pytest
from test_patrimonios import novo

CPF, MASKED, CNPJ = "52998224725", "***.982.247-**", "11222333000181"
CARD = {CPF: "529.982.247-25", MASKED: MASKED}


async def _answers(c: httpx2.AsyncClient, bem: dict[str, Any], papel: str) -> dict[str, str]:
    """Every way in which the asset leaves."""
    um = f"/api/patrimonios/{bem['id']}"
    paths = [
        um,
        f"{um}/historico",
        um.removeprefix("/api"),
        "/api/patrimonios",
        "/api/patrimonios.csv",
        "/patrimonios.csv",
    ]
    found = {path: (await c.get(path)).text for path in paths}
    if papel != "responsavel":
        paths = ["/api/auditoria", "/auditoria"]
        found |= {path: (await c.get(path, params={"registro": str(bem["numero"])})).text for path in paths}
    if papel != "consulta":
        troca = {name: bem[name.removesuffix("_id")]["id"] for name in ("setor_id", "local_id", "agente_id")}
        for version in (bem["versao"], 999):
            r = await c.put(f"{um}/carga", json=troca, headers={"If-Match": str(version)})
            found[f"carga {version}"] = r.text
            assert r.status_code == (412 if version == 999 else 200), r.text
    return found


@pytest.mark.parametrize(("papel", "shown"), [("gestor", CPF), ("responsavel", MASKED), ("consulta", MASKED)])
async def test_who_may_not_correct_it_sees_a_part_of_a_cpf_everywhere(cliente, cidade, papel: str, shown: str) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        reach = (
            "select us.setor_id from usuario_setor us join usuario u on u.id = usuario_id where papel = 'responsavel'"
        )
        agente = conn.execute(
            f"select id, setor_id from agente where ativo and setor_id in ({reach}) limit 1"
        ).fetchone()
        local = conn.execute("select id from local where setor_id = %s and ativo limit 1", [agente[1]]).fetchone()
    entregue = {"agente_id": str(agente[0]), "setor_id": str(agente[1]), "local_id": str(local[0])}
    async with cliente("gestor@demo.local", limit_write=None) as c:
        described = await novo(c) | entregue
        um, outro = [
            (await c.post("/api/patrimonios", json=described | {"fornecedor_doc": doc})).json() for doc in (CPF, CNPJ)
        ]
        r = await c.patch(f"/api/patrimonios/{um['id']}", json={"marca": "Outra"}, headers={"If-Match": "1"})
        assert r.json()["fornecedor_doc"] == CPF
        um = r.json()
    async with cliente(f"{papel}@demo.local", limit_report=None) as c:
        answers = await _answers(c, um, papel)
        assert (await c.get(f"/api/patrimonios/{outro['id']}")).json()["fornecedor_doc"] == CNPJ
    for path, text in answers.items():
        assert (CPF in text or CARD[CPF] in text) <= (shown == CPF), path
    for path in (um_path := f"/api/patrimonios/{um['id']}"), f"{um_path}/historico", "/api/patrimonios.csv":
        assert shown in answers[path], path
    assert CARD[shown] in answers[um_path.removeprefix("/api")]
    lines = {
        line["numero"]: line for line in csv.DictReader(io.StringIO(answers["/api/patrimonios.csv"][1:]), delimiter=";")
    }
    assert lines[f"{um['numero']:06}"]["fornecedor_doc"] == shown
    assert lines[f"{outro['numero']:06}"]["fornecedor_doc"] == CNPJ


async def test_a_hidden_cpf_is_not_told_by_its_beginnings(cliente) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        with_cpf = (await c.post("/api/patrimonios", json=await novo(c) | {"fornecedor_doc": CPF})).json()["numero"]
        also = await novo(c) | {"fornecedor_doc": CPF, "nota_fiscal": "529 de maio"}
        with_note = (await c.post("/api/patrimonios", json=also)).json()["numero"]

    async def found(c: httpx2.AsyncClient, q: str) -> set[int]:
        return {bem["numero"] for bem in (await c.get("/api/patrimonios", params={"q": q})).json()["items"]}

    async with cliente("gestor@demo.local") as c:
        assert await found(c, CPF[:6]) == {with_cpf, with_note}
    async with cliente("consulta@demo.local") as c:
        assert await found(c, CPF[:6]) == set()
        assert await found(c, CPF[:10]) == set()
        assert await found(c, "529") & {with_cpf, with_note} == {with_note}, "by another code"
        assert await found(c, CARD[CPF]) == {with_cpf, with_note}, "known whole, it may be asked for"
