"""The movements of a closed month as accounting takes them: their sums are the balances, and each leads to its assets."""

from __future__ import annotations

import csv
import io
from collections import Counter
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from test_fechamento import FIRST, SECOND, close, db  # noqa: F401 - a fixture

from esteio.postgres import Dsn


def _lines(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))


def _amount(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


def _happens(cidade: Dsn) -> None:
    """Between two months: another class, another value, a write-off."""
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            """with c as (select id from classe where depreciavel order by conta limit 1)
               update patrimonio set classe_id = (select id from c) where numero in (
                   select numero from patrimonio p where posse = 'proprio' and classe_id <> (select id from c)
                   and data_aquisicao < '2026-08-01' and situacao = 'em_uso' order by numero limit 3)"""
        )
        conn.execute(
            """update patrimonio set valor = valor + 10 where numero in (select numero from patrimonio
               where situacao = 'em_uso' and data_aquisicao < '2026-08-01' order by numero desc limit 2)"""
        )
        conn.execute(
            """insert into baixa (patrimonio_id, setor_id, motivo, data, justificativa, valor, situacao_anterior,
                   registrada_por)
               select p.id, p.setor_id, 'erro_cadastro', '2026-09-10', 'Cadastrado duas vezes', 0, 'em_uso', u.id
               from patrimonio p, usuario u where u.papel = 'gestor' and p.situacao = 'em_uso'
                 and p.data_aquisicao < '2026-08-01' and p.posse = 'proprio' order by p.numero limit 1 offset 20"""
        )


async def test_the_sums_are_the_balances_and_each_sum_is_its_assets(cliente, db, cidade) -> None:  # noqa: F811
    async with cliente("gestor@demo.local", limit_write=None, limit_report=None) as c:
        first = await close(c, db, FIRST)
        _happens(cidade)
        second = await close(c, db, SECOND)
        both: list[dict[str, Any]] = []
        for one in (first, second):
            um = f"/api/fechamentos/{one['id']}/lancamentos"
            found = (await c.get(um)).json()
            told = _lines((await c.get(f"{um}.csv")).content)
            assert [(line["conta"], line["setor"], line["especie"], _amount(line["valor"])) for line in told] == [
                (row["conta"], row["setor"], row["especie"], Decimal(row["valor"])) for row in found
            ]
            for row in found:
                grows = Decimal(row["valor"]) > 0
                assert row["natureza"] == ("D" if (row["componente"] == "bruto") is grows else "C")
            both += found
        kinds = {row["especie"] for row in both}
        assert kinds >= {"saldo_inicial", "depreciacao", "ajuste", "reclassificacao", "baixa"}

        # All movements of an account up to a month are its balances, as the closing told them by itself.
        sums: Counter[tuple[str, str]] = Counter()
        for row in both:
            sums[row["conta"], row["componente"]] += Decimal(row["valor"])  # type: ignore[assignment]
        with psycopg.connect(cidade.conninfo) as conn:
            balances = conn.execute(
                "select c.conta, c.bruto, c.acumulada, c.perda from fechamento_conta c"
                " join fechamento f on f.numero = c.fechamento where f.competencia = %s", [SECOND],
            ).fetchall()  # fmt: skip
        expected = {(conta, part): amount for conta, *amounts in balances
                    for part, amount in zip(("bruto", "acumulada", "perda"), amounts, strict=True) if amount}  # fmt: skip
        assert {key: amount for key, amount in sums.items() if amount} == expected

        # And each sum is that of its assets, as anybody may ask for them.
        um = f"/api/fechamentos/{second['id']}/lancamentos"
        by_account: Counter[tuple[str, str, str]] = Counter()
        for row in (await c.get(um)).json():
            key = (row["conta"], row["especie"], row["componente"])
            by_account[key] += Decimal(row["valor"])  # type: ignore[assignment]
        for conta, especie, componente in by_account:
            asked = {"conta": conta, "especie": especie, "componente": componente}
            lines = _lines((await c.get(f"{um}/bens.csv", params=asked)).content)
            assert sum(_amount(line["valor"]) for line in lines) == by_account[conta, especie, componente], asked
            assert {(line["conta"], line["especie"], line["componente"]) for line in lines} == {
                (conta, especie, componente)
            }


async def test_pages_of_any_size_give_each_movement_once_in_the_order_of_plates(cliente, db) -> None:  # noqa: F811
    async with cliente("consulta@demo.local", limit_user=None) as c:
        async with cliente("gestor@demo.local", limit_write=None) as gestor:
            one = await close(gestor, db, FIRST)
        um = f"/api/fechamentos/{one['id']}/lancamentos/bens"
        whole = _lines((await c.get(f"{um}.csv")).content)
        for asked in ({"limit": 200}, {"limit": 7, "componente": "bruto"}):
            got: list[dict[str, Any]] = []
            cursor: str | None = ""
            while cursor is not None:
                page = (await c.get(um, params={**asked, "cursor": cursor})).json()
                assert len(page["items"]) < asked["limit"] + 6
                got, cursor = got + page["items"], page["next"]
            keys = [(row["tipo"], row["numero"], row["especie"], row["componente"]) for row in got]
            assert keys == [
                (line["tipo"], int(line["numero"]), line["especie"], line["componente"])
                for line in whole
                if line["componente"] == asked.get("componente", line["componente"])
            ]
            assert len(set(keys)) == len(keys)
            places = [(tipo != "movel", numero, tipo != "terreno") for tipo, numero, *_ in keys]
            assert places == sorted(places), "imóveis after assets, of each its land first"
        assert (await c.get(um, params={"cursor": "x"})).status_code == 422
        assert (await c.get(um, params={"especie": "doação"})).status_code == 422
        assert (await c.get(um, params={"conta": "9.9.9.9"})).json() == {"items": [], "next": None, "previous": None}


async def test_a_month_that_was_reopened_has_no_movements_any_more(cliente, db) -> None:  # noqa: F811
    async with cliente("admin@demo.local", limit_write=None) as c:
        one = await close(c, db, FIRST)
        um = f"/api/fechamentos/{one['id']}"
        assert (await c.get(f"{um}/lancamentos")).json()
        await c.post(f"{um}/reabertura", json={"motivo": "Fechado cedo demais"})
        assert (await c.get(f"{um}/lancamentos")).json() == []
        assert (await c.get(f"{um}/lancamentos/bens")).json()["items"] == []


async def test_a_page_leads_from_a_figure_to_its_assets_and_on_to_one(navegar, cliente, db) -> None:  # noqa: F811
    async with cliente("gestor@demo.local", limit_write=None) as c:
        one = await close(c, db, FIRST)
    async with navegar("consulta") as pessoa:
        tela = await pessoa.ver(f"/fechamentos/{one['id']}")
        assert f"/fechamentos/{one['id']}/lancamentos" in tela.links
        tela = await pessoa.ver(f"/fechamentos/{one['id']}/lancamentos")
        assert ("Saldo inicial" in tela.texto, tela.problemas) == (True, [])
        figura = next(link for link in tela.links if "especie=depreciacao" in link)
        tela = await pessoa.ver(figura)
        assert ("Depreciação do mês" in tela.texto, tela.problemas) == (True, [])
        bem = next(link for link in tela.links if link.endswith("/depreciacao"))
        assert "Meses fechados" in (await pessoa.ver(bem)).texto
        assert figura.replace("/bens?", "/bens.csv?") in tela.links
        assert (await pessoa.ver(figura.replace("especie=depreciacao", "especie=nada"))).estado == 422
        verb = "Exportou os lançamentos de um mês"  # it is also among the filters
        before = (await pessoa.ver("/auditoria")).texto.count(verb)
        await pessoa.http.get(figura.replace("/bens?", "/bens.csv?"))
        assert (await pessoa.ver("/auditoria")).texto.count(verb) == before + 1


@pytest.mark.parametrize("end", ["lancamentos.csv", "lancamentos/bens.csv"])
async def test_what_leaves_for_accounting_names_nobody(cliente, db, cidade, end: str) -> None:  # noqa: F811
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update agente set nome = 'Fulana de Tal', matricula = 'PXPX-' || matricula")
        conn.execute("update usuario set nome = 'Beltrano de Tal'")
    async with cliente("gestor@demo.local", limit_write=None) as c:
        one = await close(c, db, FIRST)
        text = (await c.get(f"/api/fechamentos/{one['id']}/{end}")).text
        assert len(text) > 1000
        assert "de Tal" not in text
        assert "PXPX" not in text
