"""Closing months by pages and API: one after the other, by a job, immutable, the last reopened by an administrator."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest

from esteio.postgres import Database, Dsn
from sispat.depreciacao.actions import FECHAR_MES
from sispat.depreciacao.rules import Regra, month_of, years_ahead
from sispat.depreciacao.sql import fatos
from sispat.http.service import DATABASE_ROLE
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.work import Ending, perform

JOBS = {FECHAR_MES.name: FECHAR_MES}
FIRST, SECOND = "2026-08-01", "2026-09-01"


@pytest.fixture
async def db(cidade: Dsn) -> AsyncIterator[Database]:
    """As the application's role."""
    async with Database(cidade, min_size=1, settings={"role": DATABASE_ROLE}) as db:
        yield db


async def work(db: Database) -> dict[str, Any]:
    """Do the job that waits; its row."""
    async with db.connection() as conn:
        taken = await queue.claim(conn, "teste")
    assert taken is not None
    assert await perform(db, JOBS, taken.id, taken.turn) is Ending.ENDED
    async with db.connection() as conn:
        row = await queue.one(conn, taken.id)
    assert row is not None
    return row


async def close(c: httpx2.AsyncClient, db: Database, month: str, **more: str) -> dict[str, Any]:
    r = await c.post("/api/fechamentos", json={"competencia": month, **more})
    assert r.status_code == 202, r.text
    asked_for = f"/api/tarefas/{r.json()['tarefa_id']}"
    assert (await c.get(asked_for)).json()["pagina"] == "/fechamentos", "there is no month to look at yet"
    row = await work(db)
    assert row["estado"] == "concluida", row["erro"]
    assert (await c.get(asked_for)).json()["pagina"] == f"/fechamentos/{row['resultado']['fechamento']}"
    return (await c.get(f"/api/fechamentos/{row['resultado']['fechamento']}")).json()


async def refused(c: httpx2.AsyncClient, month: str, **more: str) -> str:
    r = await c.post("/api/fechamentos", json={"competencia": month, **more})
    assert r.status_code == 422, r.text
    return str(r.json()["errors"])


async def test_months_are_closed_in_order_and_sum_up_to_what_an_independent_query_says(cliente, db, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        assert "não terminou" in await refused(c, "2099-01-01")
        first = await close(c, db, FIRST, regra="mes")
        assert (first["inicial"], first["estado"]) == (True, "fechado")
        assert "09/2026" in await refused(c, "2026-10-01")
        assert "regra" in await refused(c, SECOND, regra="mes_seguinte")
        second = await close(c, db, SECOND)
        with psycopg.connect(cidade.conninfo) as conn:
            oracle = conn.execute(
                """with a as (
                       select p.valor, classe_id, data_disponivel as desde, data_aquisicao, b.data, posse, true as sofre
                       from patrimonio p left join baixa b on b.patrimonio_id = p.id
                       union all
                       select v.valor, v.classe_id, i.data_aquisicao, i.data_aquisicao, b.data, i.posse, v.sofre
                       from imovel i left join imovel_baixa b on b.imovel_id = i.id, lateral (values
                           (i.valor_terreno, classe_terreno_id, false), (i.valor_edificacao, classe_edificacao_id, true)
                       ) v (valor, classe_id, sofre) where v.valor > 0
                   ), p as (
                       select valor, round(valor * c.residual_pct / 100, 2) as residual, c.vida_util_meses as vida,
                              c.depreciavel and sofre as depreciavel,
                              (select count(*) from generate_series(date_trunc('month', desde),
                                                                    timestamp '2026-09-01', interval '1 month')) as n
                       from a join classe c on c.id = classe_id
                       where posse = 'proprio' and data_aquisicao < '2026-10-01'
                         and coalesce(data, '2099-01-01') >= '2026-10-01')
                   select count(*), sum(valor), sum(case when depreciavel then
                       round((valor - residual) * least(n, vida) / vida, 2) else 0 end) from p"""
            ).fetchone()
            sums = dict(
                conn.execute(
                    "select componente, sum(valor) from lancamento where competencia <= '2026-09-01' group by 1"
                ).fetchall()
            )
        assert oracle == (second["bens"], Decimal(second["bruto"]), Decimal(second["acumulada"]))
        assert (sums["bruto"], sums["acumulada"]) == oracle[1:]
        assert Decimal(second["depreciacao"]) > 0
        assert Decimal(second["acumulada"]) > Decimal(first["acumulada"])


async def test_what_is_known_late_is_an_adjustment_of_the_open_month(cliente, db, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        await close(c, db, FIRST)
        stored = (await c.get("/api/patrimonios")).json()["items"][0]
        whole = (await c.get(f"/api/patrimonios/{stored['id']}")).json()
        with psycopg.connect(cidade.conninfo) as conn:
            classe = conn.execute("select id from classe where vida_util_meses = 60 and residual_pct = 10").fetchone()
        new = {
            "descricao": "Notebook da nota atrasada", "classe_id": str(classe[0]), "valor": "6000.00",
            "data_aquisicao": "2026-06-10", "setor_id": whole["setor"]["id"], "local_id": whole["local"]["id"],
            "agente_id": whole["agente"]["id"],
        }  # fmt: skip
        late = (await c.post("/api/patrimonios", json=new)).json()
        assert late["valor_liquido"] is None
        await close(c, db, SECOND)
        told = (await c.get(f"/api/patrimonios/{late['id']}/depreciacao")).json()
        (month,) = told["meses"]
        assert (month["depreciacao"], month["ajuste_acumulada"], month["acumulada"]) == ("90.00", "270.00", "360.00")
        assert {(e["especie"], e["componente"], e["valor"]) for e in told["lancamentos"]} == {
            ("incorporacao", "bruto", "6000.00"), ("ajuste", "acumulada", "270.00"), ("depreciacao", "acumulada", "90.00"),
        }  # fmt: skip
        assert sum(Decimal(each["depreciacao"]) for each in told["adiante"]) == Decimal("5400.00") - Decimal("360.00")
        assert (await c.get(f"/api/patrimonios/{late['id']}")).json()["valor_liquido"] == "5640.00"
        gone = {"motivo": "erro_cadastro", "data": "2026-07-10", "justificativa": "Era de outra prefeitura"}
        r = await c.post("/api/baixas", json={**gone, "numeros": [late["numero"]]})
        assert r.status_code == 201, r.text
        await close(c, db, "2026-10-01")
        told = (await c.get(f"/api/patrimonios/{late['id']}/depreciacao")).json()
        entries = {
            (e["especie"], e["componente"]): e["valor"] for e in told["lancamentos"] if e["competencia"] == "2026-10-01"
        }
        assert entries == {
            ("ajuste", "acumulada"): "-270.00", ("baixa", "bruto"): "-6000.00", ("baixa", "acumulada"): "-90.00",
        }, "June alone had counted when it left in July"  # fmt: skip


async def test_only_the_last_month_is_reopened_by_an_administrator_and_what_it_said_stays(cliente, db, cidade) -> None:
    why = {"motivo": "Nota fiscal que chegou depois"}
    async with cliente("gestor@demo.local", limit_write=None) as c:
        first, second = await close(c, db, FIRST), await close(c, db, SECOND)
        assert (await c.post(f"/api/fechamentos/{second['id']}/reabertura", json=why)).status_code == 403
    async with cliente("admin@demo.local", limit_write=None) as c:
        r = await c.post(f"/api/fechamentos/{first['id']}/reabertura", json=why)
        assert (r.status_code, "último" in r.text) == (422, True)
        assert (await c.post(f"/api/fechamentos/{second['id']}/reabertura", json={"motivo": "x"})).status_code == 422
        reopened = (await c.post(f"/api/fechamentos/{second['id']}/reabertura", json=why)).json()
        assert (reopened["estado"], reopened["motivo"]) == ("reaberto", why["motivo"])
        assert (await c.post(f"/api/fechamentos/{second['id']}/reabertura", json=why)).status_code == 422
        assert (await c.get("/api/auditoria")).json()[0]["acao"] == "reabrir_mes"
        again = await close(c, db, SECOND)
        assert again["id"] != second["id"]
        assert {n: again[n] for n in ("bens", "bruto", "acumulada")} == {
            n: second[n] for n in ("bens", "bruto", "acumulada")
        }
        lines = (await c.get(f"/api/fechamentos/{second['id']}/bens")).json()["items"]
        assert len(lines) == 50, "what was closed before is still there"
        with psycopg.connect(cidade.conninfo) as conn:
            doubled = conn.execute(
                "select count(*) from (select from lancamento group by patrimonio_id, competencia, especie, componente, conta"
                " having count(*) > 1) d"
            ).fetchone()
        assert doubled == (0,)


async def test_neither_the_applications_role_nor_the_owner_changes_a_closed_month(cliente, db, cidade) -> None:
    async with cliente("gestor@demo.local") as c:
        await close(c, db, FIRST)
    attempts = (
        "insert into depreciacao select * from depreciacao", "update depreciacao set acumulada = 0", "delete from depreciacao",
        "truncate depreciacao", "delete from fechamento", "truncate fechamento cascade", "update fechamento set bruto = 0",
        "update fechamento set competencia = '2026-07-01'", "update fechamento_conta set bruto = 0",
        "insert into fechamento_conta select * from fechamento_conta",
    )  # fmt: skip
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        for role in (DATABASE_ROLE, ""):
            if role:
                conn.execute(f"set role {role}")
            else:
                conn.execute("reset role")
            for sql in attempts:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(sql)
        of_both = "select d.patrimonio_id from depreciacao d join {} b on b.id = d.patrimonio_id limit 1"
        asset = conn.execute(of_both.format("patrimonio")).fetchone()
        imovel = conn.execute(of_both.format("imovel")).fetchone()
        conn.execute("delete from documento where entidade_id = %s", asset)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            conn.execute("delete from patrimonio where id = %s", asset)
        conn.execute("delete from documento where entidade_id = %s", imovel)
        conn.execute("delete from imovel_baixa; delete from imovel_destinacao")
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="closed month"):
            conn.execute("delete from imovel where id = %s", imovel)
        conn.execute(f"set role {DATABASE_ROLE}")
        conn.execute(
            "select set_config('sispat.fechando', '1', false)"
        )  # what the function sets opens nothing by itself
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(attempts[0])


async def test_the_lines_of_a_month_leave_as_csv_and_xlsx_and_that_is_audited(cliente, db) -> None:
    async with cliente("gestor@demo.local", limit_report=None) as c:
        one = await close(c, db, FIRST)
        page = (await c.get(f"/api/fechamentos/{one['id']}/bens", params={"limit": 2})).json()
        rest = (await c.get(f"/api/fechamentos/{one['id']}/bens", params={"limit": 2, "cursor": page["next"]})).json()
        numbers = [each["numero"] for each in page["items"] + rest["items"]]
        assert numbers == sorted(set(numbers))
        text = (await c.get(f"/api/fechamentos/{one['id']}/bens.csv")).content.decode("utf-8-sig")
        lines = list(csv.DictReader(io.StringIO(text), delimiter=";"))
        net = sum(Decimal(line["liquido"].replace(",", ".")) for line in lines)
        assert net == Decimal(one["liquido"])
        assert (await c.get(f"/api/fechamentos/{one['id']}/bens.xlsx")).status_code == 200
    async with cliente("consulta@demo.local") as c:
        told = [e["acao"] for e in (await c.get("/api/auditoria")).json()]
        assert told.count("exportar_fechamento") == 2


async def test_pages_close_a_month_show_it_by_account_and_an_asset_month_by_month(navegar, db) -> None:
    async with navegar("admin") as pessoa:
        tela = await pessoa.ver("/fechamentos/novo")
        form = tela.formulario("/fechamentos/novo")
        assert {"competencia", "regra"} <= form.visiveis
        tela = await pessoa.mandar(form, competencia="08/2026")
        assert tela.estado == 200, tela.texto
        assert "Fechar o mês" in tela.texto
        form = (await pessoa.ver("/fechamentos/novo")).formulario("/fechamentos/novo")
        tela = await pessoa.mandar(form, competencia="08/2026")
        assert "em andamento" in tela.texto, "one at a time"
        await work(db)
        tela = await pessoa.ver("/fechamentos")
        assert "08/2026" in tela.texto
        card = next(link for link in tela.links if link.startswith("/fechamentos/") and len(link) > 40)
        tela = await pessoa.ver(card)
        assert "Mobiliário em geral" in tela.texto
        assert (await pessoa.ver(f"{card}/bens")).problemas == []
        form = (await pessoa.ver("/fechamentos/novo")).formulario("/fechamentos/novo")
        assert "regra" not in form.visiveis, "asked for once"
        listed = await pessoa.ver("/patrimonios?situacao=em_uso")
        assert "líquido" in listed.texto
        asset = next(link for link in listed.links if link.startswith("/patrimonios/") and len(link) > 40)
        tela = await pessoa.ver(f"{asset}/depreciacao")
        assert "08/2026" in tela.texto
        assert "Próximos anos" in tela.texto
        assert "Valor líquido no último mês fechado R$" in (await pessoa.ver(asset)).texto
        form = (await pessoa.ver(f"{card}/reabrir")).formulario(f"{card}/reabrir")
        tela = await pessoa.mandar(form, motivo="Faltou uma nota fiscal")
        assert "Mês reaberto" in tela.texto


def test_a_year_of_months_is_what_a_year_takes(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        who = conn.execute("select id from usuario where papel = 'gestor'").fetchone()
        assert who is not None
        for month in range(1, 13):
            conn.execute("select fechar_mes(%s, 'mes', %s)", [dt.date(2025, month, 1), who[0]])
        row = conn.execute(
            """select sum(l.valor) filter (where especie = 'depreciacao'),
                   (select sum(acumulada) from fechamento where competencia = '2025-12-01')
                   - (select sum(acumulada) from fechamento where competencia = '2025-01-01')
                   + (select sum(depreciacao) from fechamento where competencia = '2025-01-01')
               from lancamento l"""
        ).fetchone()
        conn.rollback()
    assert row is not None
    assert row[0] == row[1], "nothing left the books in that year"


async def test_the_simulation_sums_what_the_rule_says_of_each_asset_and_writes_nothing(
    cliente, db, cidade, navegar
) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        await close(c, db, FIRST)
        r = await c.get("/api/depreciacao/simulacao", params={"anos": 3})
        found = r.json()
    since = month_of(dt.date.fromisoformat(FIRST))
    async with db.connection() as conn:
        ids = [row[0] for row in await (await conn.execute("select id from patrimonio")).fetchall()]
        assets = await fatos(conn, ids)
    expected: dict[int, Decimal] = {}
    for asset in assets.values():
        if asset.in_books(since):  # imóveis are looked at in test_imoveis_no_livro.py
            for year, taken, _ in years_ahead(asset, since, 3, Regra.MES):
                expected[year] = expected.get(year, Decimal(0)) + taken
    got: dict[int, Decimal] = {}
    for row in found:
        if row["conta"].startswith("1.2.3.2"):
            continue
        got[row["ano"]] = got.get(row["ano"], Decimal(0)) + Decimal(row["depreciacao"])
    assert got == expected
    async with navegar("consulta") as pessoa:
        assert "2028" in (await pessoa.ver("/depreciacao/simulacao?anos=3")).texto
        assert (await pessoa.ver("/depreciacao/simulacao?anos=99")).estado == 422
