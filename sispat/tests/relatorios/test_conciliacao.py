"""Reconciling a closed month with accounting: every account answered for, differences listed, kept for good."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from esteio.postgres import Dsn
from sispat.http.service import DATABASE_ROLE

MONTH = "2026-09-01"


@pytest.fixture
def saldos(cidade: Dsn) -> dict[str, tuple[Decimal, Decimal]]:
    """A closed month; gross and accumulated of each account, summed from its assets."""
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("select fechar_mes(%s, 'mes', id) from usuario where papel = 'gestor' limit 1", [MONTH])
        rows = conn.execute("select conta, sum(bruto), sum(acumulada + perda) from depreciacao group by 1").fetchall()
    return {conta: (gross, taken) for conta, gross, taken in rows}


def body(saldos: dict[str, tuple[Decimal, Decimal]], **changed: tuple[str, str]) -> dict[str, Any]:
    accounts = {conta: (str(gross), str(taken)) for conta, (gross, taken) in saldos.items()} | changed
    return {
        "competencia": MONTH,
        "contas": [{"conta": conta, "bruto": gross, "acumulada": taken} for conta, (gross, taken) in accounts.items()],
    }


async def test_what_differs_is_listed_and_the_closing_carries_the_last_one(cliente, navegar, saldos) -> None:
    conta, (gross, taken) = sorted(saldos.items())[0]
    async with cliente("gestor@demo.local", limit_user=None) as c:
        closing = (await c.get("/api/fechamentos")).json()["items"][0]
        async with navegar("gestor") as pessoa:
            assert "não foi conciliado" in (await pessoa.ver(f"/fechamentos/{closing['id']}")).html
        other = body(saldos, **{conta: (str(gross + 10), str(taken - 1))})
        other["contas"].append({"conta": "9.9.9", "bruto": "5.00", "acumulada": "0.00", "justificativa": "Só lá"})
        r = await c.post("/api/conciliacoes", json=other)
        assert r.status_code == 201, r.text
        made = r.json()
        assert (made["estado"], made["diferencas"], made["contas"]) == ("diverge", 2, len(saldos) + 1)
        assert (made["diferenca_bruto"], made["diferenca_acumulada"]) == ("15.00", "-1.00")
        accounts = (await c.get(f"/api/conciliacoes/{made['id']}/contas")).json()
        assert [each["conta"] for each in accounts[:2]] == [conta, "9.9.9"]
        assert {each["conta"]: (Decimal(each["bruto"]), Decimal(each["acumulada"])) for each in accounts} == {
            **saldos, "9.9.9": (Decimal(0), Decimal(0)),
        }  # fmt: skip
        told = (await c.get("/api/relatorios/conciliacao.json", params={"competencia": MONTH})).json()
        assert (told["somas"]["diferenca_bruto"], len(told["items"])) == ("15.00", len(saldos) + 1)
        async with navegar("gestor") as pessoa:
            assert "2 contas diferem" in (await pessoa.ver(f"/fechamentos/{closing['id']}")).html
        again = (await c.post("/api/conciliacoes", json=body(saldos))).json()
        assert (again["estado"], again["diferencas"]) == ("confere", 0)
        async with navegar("gestor") as pessoa:
            tela = await pessoa.ver(f"/fechamentos/{closing['id']}")
            assert "têm os mesmos saldos" in tela.html
            assert str(again["id"]) in tela.html
            tela = await pessoa.ver(f"/conciliacoes/{made['id']}")
            assert "Só lá" in tela.html
        assert [each["id"] for each in (await c.get("/api/conciliacoes")).json()["items"]] == [again["id"], made["id"]]


async def test_what_cannot_be_reconciled_says_why_and_nothing_is_kept(cliente, saldos, cidade) -> None:
    whole = body(saldos)
    first = whole["contas"][0]
    wrong = [
        ({**whole, "competencia": "2026-10-01"}, "competencia", "não está fechado"),
        ({**whole, "contas": whole["contas"][1:]}, "contas", first["conta"]),
        ({**whole, "contas": [*whole["contas"], first]}, "contas", "mais de uma vez"),
        ({**whole, "contas": [{**first, "bruto": "1,00"}, *whole["contas"][1:]]}, "contas.0.bruto", "1234.56"),
    ]
    async with cliente("gestor@demo.local", limit_user=None) as c:
        for sent, field, said in wrong:
            r = await c.post("/api/conciliacoes", json=sent)
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, field), r.text
            assert said in r.json()["errors"][0]["message"]
    async with cliente("consulta@demo.local") as c:
        assert (await c.post("/api/conciliacoes", json=whole)).status_code == 403
    with psycopg.connect(cidade.conninfo) as conn:
        assert conn.execute("select count(*) from conciliacao").fetchone() == (0,)


async def test_the_form_asks_each_account_and_comes_back_with_what_was_typed(navegar, saldos) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/conciliacoes/nova")
        form = tela.formulario("/conciliacoes/nova")
        typed = {}
        for n, (_conta, (gross, taken)) in enumerate(sorted(saldos.items())):
            typed[f"bruto-{n}"] = f"{gross:,.2f}".translate(str.maketrans(",.", ".,"))
            typed[f"acumulada-{n}"] = f"{taken:,.2f}".translate(str.maketrans(",.", ".,"))
        assert f"No patrimônio: {typed['bruto-0']}" in tela.html
        tela = await pessoa.mandar(form, **{**typed, "bruto-1": "muito"})
        assert (tela.estado, "Informe um valor em reais" in tela.html, 'value="muito"' in tela.html) == (
            422,
            True,
            True,
        )
        tela = await pessoa.mandar(tela.formulario("/conciliacoes/nova"), **typed)
        assert (tela.estado, "Conciliação registrada." in tela.html, "Confere" in tela.html) == (200, True, True)


async def test_without_a_closed_month_there_is_nothing_to_reconcile(navegar) -> None:
    async with navegar("gestor") as pessoa:
        assert "Nenhum mês está fechado ainda" in (await pessoa.ver("/conciliacoes/nova")).html


@pytest.mark.parametrize("sql", ["update conciliacao set diferencas = 0", "delete from conciliacao_conta"])
def test_the_application_changes_no_reconciliation(cidade: Dsn, sql: str) -> None:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        conn.execute(f"set role {DATABASE_ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(sql)
