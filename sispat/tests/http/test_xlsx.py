"""Lists as workbooks: amounts and dates as such, no text a formula, never more lines than promised."""

from __future__ import annotations

import datetime as dt
import io

import psycopg
import pytest
from python_calamine import load_workbook

from esteio.postgres import Dsn
from sispat.http import xlsx_export

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rows_of(content: bytes) -> list[list[object]]:
    return load_workbook(io.BytesIO(content)).get_sheet_by_index(0).to_python()


async def test_a_list_is_exported_as_a_workbook_with_the_same_lines_as_the_csv(
    cliente, cidade: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            """update patrimonio set descricao = '=1+1', valor = 1234.5, data_aquisicao = '2020-02-29',
               data_disponivel = '2020-02-29' where numero = 7"""
        )
    async with cliente("gestor@demo.local", limit_report=None) as c:
        r = await c.get("/api/patrimonios.xlsx")
        assert (r.status_code, r.headers["content-type"]) == (200, XLSX), r.text
        assert 'filename="patrimonios.xlsx"' in r.headers["content-disposition"]
        heading, *rows = rows_of(r.content)
        csv = (await c.get("/api/patrimonios.csv")).text.splitlines()
        assert (len(rows), heading) == (len(csv) - 1, csv[0].removeprefix("\ufeff").split(";"))
        seventh = dict(zip(heading, rows[6], strict=True))
        assert (seventh["numero"], seventh["descricao"], seventh["valor"]) == ("000007", "=1+1", 1234.5)
        assert seventh["data_aquisicao"] == dt.date(2020, 2, 29)
        assert len(rows_of((await c.get("/patrimonios.xlsx", params={"q": "000007", "todos": "1"})).content)) == 2
        for plural in ("transferencias", "emprestimos", "manutencoes", "baixas"):
            assert rows_of((await c.get(f"/api/{plural}.xlsx")).content)[0][0] == "numero"
        monkeypatch.setattr(xlsx_export, "MOST", 200)
        r = await c.get("/api/patrimonios.xlsx")
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "formato")
