"""Land and buildings in closed months: the building depreciates, land never, and every report has both."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest
from test_fechamento import FIRST, SECOND, close, db  # noqa: F401 - a fixture

from esteio.postgres import Dsn

LAND, BUILDING = "9.8.1", "9.8.2"
THIRD = "2026-10-01"


@pytest.fixture
async def classes(cliente) -> dict[str, str]:
    """Two accounts that nothing else stands in: name of the field -> id. That of the land would depreciate by itself."""
    async with cliente("admin@demo.local") as c:
        made = {}
        for field, conta, nome in (
            ("classe_terreno_id", LAND, "Terrenos das escolas"), ("classe_edificacao_id", BUILDING, "Escolas"),
        ):  # fmt: skip
            new = {"conta": conta, "nome": nome, "vida_util_meses": 600, "residual_pct": "10"}
            made[field] = (await c.post("/api/classes", json=new)).json()["id"]
        return made


@pytest.fixture
async def c(cliente) -> AsyncIterator[httpx2.AsyncClient]:
    async with cliente("gestor@demo.local", limit_write=None, limit_user=None, limit_report=None) as c:
        yield c


async def registered(c: httpx2.AsyncClient, cidade: Dsn, **more: Any) -> dict[str, Any]:
    """A school of 600,000.00 on land of 250,000.00; with the classes 540,000.00 in 600 months, 900.00 a month."""
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute("select setor_id::text, id::text from agente order by matricula limit 1").fetchone()
    assert row is not None
    new = {
        "nome": "Escola do Livro", "valor_terreno": "250000.00", "valor_edificacao": "600000.00",
        "data_aquisicao": "2026-07-10", "setor_id": row[0], "agente_id": row[1], "destinacao": "uso_especial", **more,
    }  # fmt: skip
    r = await c.post("/api/imoveis", json=new)
    assert r.status_code == 201, r.text
    return dict(r.json())


async def lines(c: httpx2.AsyncClient, address: str, **asked: Any) -> list[dict[str, str]]:
    """Of a CSV."""
    r = await c.get(address, params=asked)
    assert r.status_code == 200, r.text
    return list(csv.DictReader(io.StringIO(r.content.decode("utf-8-sig")), delimiter=";"))


def only(rows: list[dict[str, str]], *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in columns) for row in rows]


async def test_a_building_depreciates_and_its_land_never_in_all_reports(c, db, cidade, classes, navegar) -> None:  # noqa: F811
    one = await registered(c, cidade, **classes)
    await close(c, db, FIRST, regra="mes")
    closed = await close(c, db, SECOND)
    number = f"{one['numero']:06}"

    rows = await lines(c, "/api/relatorios/balancete.csv", competencia=SECOND)
    assert only([row for row in rows if row["conta"].startswith("9.8")],
                "conta", "nome", "bens", "anterior", "depreciacao", "liquido", "bruto", "acumulada") == [
        (LAND, "Terrenos das escolas", "1", "250000,00", "0,00", "250000,00", "250000,00", "0,00"),
        (BUILDING, "Escolas", "1", "598200,00", "-900,00", "597300,00", "600000,00", "2700,00"),
    ]  # fmt: skip
    rows = await lines(c, "/api/relatorios/movimento.csv", competencia=FIRST, conta="9.8")
    assert only(rows, "especie", "tipo", "numero", "descricao", "bruto", "acumulada") == [
        ("saldo_inicial", "terreno", number, "Escola do Livro (terreno)", "250000,00", "0,00"),
        ("saldo_inicial", "edificacao", number, "Escola do Livro (edificação)", "600000,00", "900,00"),
    ]
    rows = await lines(c, "/api/relatorios/depreciacao.csv", competencia=SECOND, conta="9.8")
    assert only(rows, "tipo", "vida_util_meses", "depreciacao", "acumulada") == [
        ("edificacao", "600", "900,00", "2700,00")
    ]
    for por in ("", "conta"):
        rows = await lines(c, "/api/relatorios/inventario-analitico.csv", conta="9.8", por=por)
        assert only(rows, "tipo", "numero", "conta", "classe", "valor", "valor_liquido", "data_aquisicao") == [
            ("terreno", number, LAND, "Terrenos das escolas", "250000,00", "250000,00", "2026-07-10"),
            ("edificacao", number, BUILDING, "Escolas", "600000,00", "597300,00", "2026-07-10"),
        ]
    rows = await lines(c, "/api/relatorios/inventario-sintetico.csv", conta="9.8")
    assert only(rows, "grupo", "bens", "valor", "valor_liquido") == [
        (f"{LAND} · Terrenos das escolas", "1", "250000,00", "250000,00"),
        (f"{BUILDING} · Escolas", "1", "600000,00", "597300,00"),
    ]
    rows = await lines(c, f"/api/fechamentos/{closed['id']}/bens.csv")
    assert only(rows[-2:], "tipo", "numero", "depreciacao", "liquido") == [
        ("terreno", number, "0,00", "250000,00"), ("edificacao", number, "900,00", "597300,00"),
    ]  # fmt: skip
    asked = {"conta": BUILDING, "especie": "depreciacao"}
    rows = await lines(c, f"/api/fechamentos/{closed['id']}/lancamentos/bens.csv", **asked)
    assert only(rows, "tipo", "numero", "componente", "natureza", "valor") == [
        ("edificacao", number, "acumulada", "C", "900,00")
    ]
    months = (await c.get(f"/api/imoveis/{one['id']}/depreciacao")).json()
    assert [(m["competencia"], m["tipo"], m["depreciacao"], m["liquido"]) for m in months] == [
        (SECOND, "terreno", "0.00", "250000.00"), (SECOND, "edificacao", "900.00", "597300.00"),
        (FIRST, "terreno", "0.00", "250000.00"), (FIRST, "edificacao", "900.00", "598200.00"),
    ]  # fmt: skip
    async with navegar("gestor") as pessoa:
        listed = await pessoa.ver(f"/fechamentos/{closed['id']}/lancamentos/bens", conta=BUILDING)
        of_it = f"/imoveis/{one['id']}/depreciacao"
        assert of_it in listed.links, listed.texto
        assert of_it in (await pessoa.ver(f"/imoveis/{one['id']}")).links
        tela = await pessoa.ver(of_it)
        assert ("09/2026 · Edificação" in tela.texto, "597.300,00" in tela.texto, tela.problemas) == (True, True, [])
    ahead = [row for row in (await c.get("/api/depreciacao/simulacao", params={"anos": 2})).json()
             if row["conta"].startswith("9.8")]  # fmt: skip
    assert [(row["conta"], row["ano"], row["depreciacao"], row["liquido"]) for row in ahead] == [
        (LAND, 2026, "0.00", "250000.00"), (LAND, 2027, "0.00", "250000.00"),
        (BUILDING, 2026, "2700.00", "594600.00"), (BUILDING, 2027, "10800.00", "583800.00"),
    ]  # fmt: skip


async def test_what_changes_of_an_imovel_moves_the_month_that_is_open(c, db, cidade, classes, cliente) -> None:  # noqa: F811
    one = await registered(c, cidade, **classes)
    await close(c, db, FIRST, regra="mes")
    change = {"valor_edificacao": "660000.00"}  # 990.00 a month: two months of 90.00 more
    r = await c.patch(f"/api/imoveis/{one['id']}", json=change, headers={"If-Match": "1"})
    assert r.status_code == 200, r.text
    await close(c, db, SECOND)

    async def moved(month: str) -> list[tuple[str, ...]]:
        rows = await lines(c, "/api/relatorios/movimento.csv", competencia=month, conta="9.8")
        return only(rows, "especie", "tipo", "bruto", "acumulada")

    assert await moved(SECOND) == [("ajuste", "edificacao", "60000,00", "180,00")]
    gone = {"motivo": "erro_cadastro", "data": "2026-10-05", "justificativa": "Cadastrado duas vezes"}
    off = (await c.post(f"/api/imoveis/{one['id']}/baixa", json=gone)).json()
    await close(c, db, THIRD)
    assert await moved(THIRD) == [
        ("baixa", "terreno", "-250000,00", "0,00"), ("baixa", "edificacao", "-660000,00", "-2970,00"),
    ]  # fmt: skip
    assert await lines(c, "/api/relatorios/inventario-analitico.csv", conta="9.8") == []
    async with cliente("admin@demo.local") as admin:
        r = await admin.post(f"/api/baixas-de-imoveis/{off['id']}/estorno", json={"estorno": "Não era este imóvel"})
        assert r.status_code == 200, r.text
    with psycopg.connect(cidade.conninfo) as conn:
        who = conn.execute("select id from usuario where papel = 'gestor'").fetchone()
        assert who is not None
        conn.execute("select fechar_mes('2026-11-01', 'mes', %s)", who)
        told = conn.execute(
            "select conta, especie, componente, valor from lancamento where competencia = '2026-11-01' and conta like '9.8%'"
            " order by 1, 2, 3"
        ).fetchall()
        conn.rollback()
    assert told == [
        (LAND, "estorno_baixa", "bruto", Decimal("250000.00")), (BUILDING, "depreciacao", "acumulada", Decimal("990.00")),
        (BUILDING, "estorno_baixa", "acumulada", Decimal("3960.00")),
        (BUILDING, "estorno_baixa", "bruto", Decimal("660000.00")),
    ], "as if it had stayed"  # fmt: skip


async def test_what_has_no_class_or_is_lent_is_in_no_month_and_people_are_told(c, db, cidade, classes, navegar) -> None:  # noqa: F811
    await registered(c, cidade, classe_terreno_id=classes["classe_terreno_id"])
    await registered(c, cidade, **classes, posse="cessao")
    await registered(c, cidade, **classes, valor_edificacao="0.00", nome="Campo da várzea")
    async with navegar("gestor") as pessoa:
        said = (await pessoa.ver("/fechamentos/novo")).texto
        assert "1 imóvel fica de fora: falta a classe" in said, "those of the city have one"
    closed = await close(c, db, FIRST, regra="mes")
    rows = [
        row for row in await lines(c, f"/api/fechamentos/{closed['id']}/bens.csv") if row["conta"].startswith("9.8")
    ]
    assert only(rows, "tipo", "descricao", "bruto") == [
        ("terreno", "Escola do Livro (terreno)", "250000,00"), ("terreno", "Campo da várzea (terreno)", "250000,00"),
    ]  # fmt: skip
    everything = await lines(c, "/api/relatorios/inventario-analitico.csv", tipo="edificacao")
    mine = [row for row in everything if row["descricao"].startswith("Escola do Livro")]
    assert only(mine, "conta", "valor_liquido", "posse") == [("", "", "proprio"), (BUILDING, "", "cessao")]


async def test_a_class_that_is_retired_takes_no_imovel_and_use_begins_after_acquisition(
    c, cidade, classes, cliente
) -> None:
    one = await registered(c, cidade, **classes)
    async with cliente("admin@demo.local") as admin:
        for id_ in classes.values():
            stored = (await admin.get(f"/api/classes/{id_}")).json()
            body = {
                **{n: stored[n] for n in ("conta", "nome", "vida_util_meses", "residual_pct", "depreciavel")},
                "ativo": False,
            }
            r = await admin.put(f"/api/classes/{id_}", json=body, headers={"If-Match": str(stored["versao"])})
            assert r.status_code == 200, r.text
    kept = await c.patch(f"/api/imoveis/{one['id']}", json={"nome": "Escola Nova"}, headers={"If-Match": "1"})
    assert kept.status_code == 200, "what it has, it keeps"
    body = {name: one[name] for name in ("nome", "valor_terreno", "valor_edificacao", "data_aquisicao", "destinacao")}
    body |= {"setor_id": one["setor"]["id"], "agente_id": one["agente"]["id"]}
    for field, id_ in classes.items():
        r = await c.post("/api/imoveis", json={**body, field: id_})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, field), r.text
        assert "não está mais em uso" in r.text
    r = await c.post("/api/imoveis", json={**body, "data_disponivel": "2026-07-09"})
    assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "data_disponivel")
