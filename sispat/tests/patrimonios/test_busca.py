"""One search for everything: plate number, words in either number, codes, who answers."""

from __future__ import annotations

import psycopg
import pytest
from test_patrimonios import novo

CODIGOS = {
    "empenho": "2026NE000123", "nota_fiscal": "NF-e 45.678", "licitacao": "Pregão 12/2026",
    "numero_serie": "SN-98/7 X", "fornecedor_doc": "11.222.333/0001-81",
}  # fmt: skip


@pytest.mark.parametrize("digitado", ["7", "000007", "000.007", " 7 "])
async def test_a_plate_number_typed_anywhere_opens_the_card(navegar, digitado) -> None:
    async with navegar("gestor") as pessoa:
        ficha = await pessoa.ver("/patrimonios", q=digitado)
        assert "000007" in ficha.texto
        assert ficha.titulos != ["Bens"]
        todos = next(x for x in ficha.links if "todos=1" in x)
        lista = await pessoa.ver(todos)  # what else has these figures can still be found
        assert lista.titulos == ["Bens"]
        assert "000007" in lista.texto


async def test_a_plate_number_out_of_reach_opens_nothing(navegar, cidade) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        (numero,) = conn.execute(
            """select numero from patrimonio where setor_id not in (select us.setor_id from usuario_setor us
               join usuario u on u.id = us.usuario_id where u.email = 'responsavel@demo.local') limit 1"""
        ).fetchone()
    async with navegar("responsavel") as pessoa:
        tela = await pessoa.ver("/patrimonios", q=str(numero))
        assert tela.titulos == ["Bens"]
        assert f"/patrimonios?q={numero}" not in tela.links


async def test_every_page_has_the_search(navegar) -> None:
    async with navegar("consulta") as pessoa:
        for caminho in ("/", "/setores", "/auditoria", "/patrimonios"):
            assert "busca-geral" in (await pessoa.ver(caminho)).ids


@pytest.mark.parametrize(
    "q",
    ["2026NE000123", "2026ne000123", "2026NE0001", "45.678", "NF-e 45.678", "45678", "12/2026", "SN-98/7 X", "SN987X",
     "11.222.333/0001-81", "11222333000181"],
)  # fmt: skip
async def test_a_code_finds_the_asset_with_or_without_its_separators(cliente, q) -> None:
    async with cliente("gestor@demo.local") as c:
        criado = (await c.post("/api/patrimonios", json=await novo(c, **CODIGOS))).json()
        achados = (await c.get("/api/patrimonios", params={"q": q, "sort": "-numero"})).json()["items"]
        assert criado["numero"] in [bem["numero"] for bem in achados]


async def test_plurals_and_the_names_of_agentes_are_found(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        corpo = await novo(c, descricao="Cadeira giratória para avião")
        criado = (await c.post("/api/patrimonios", json=corpo)).json()
        for q in ("cadeiras giratórias", "cadeira aviões", criado["agente"]["nome"], criado["agente"]["matricula"]):
            achados = (await c.get("/api/patrimonios", params={"q": q, "sort": "-numero"})).json()["items"]
            assert criado["numero"] in [bem["numero"] for bem in achados], q
            pagina = await c.get("/api/patrimonios.csv", params={"q": q})
            assert "Cadeira giratória para avião" in pagina.text
