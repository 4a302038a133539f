"""No register is cut off: its pages, and the API's, go on by key."""

from __future__ import annotations

import re

import psycopg
import pytest


@pytest.fixture
def muitos(cidade) -> int:
    """More agentes than a page holds, some of the same name."""
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            """insert into agente (nome, matricula, setor_id)
               select 'Zuleica ' || i % 40, 'Z' || i, (select id from setor order by codigo limit 1)
               from generate_series(1, 230) i"""
        )
        (total,) = conn.execute("select count(*) from agente").fetchone()
    return total


async def test_the_api_walks_all_rows_once_by_the_links_it_gives(cliente, muitos) -> None:
    async with cliente("gestor@demo.local") as c:
        vistos, caminho = [], "/api/agentes?limit=50"
        while caminho:
            r = await c.get(caminho)
            vistos += [(linha["nome"], linha["id"]) for linha in r.json()]
            seguinte = re.fullmatch(r'<([^>]+)>; rel="next"', r.headers.get("link", ""))
            caminho = seguinte and seguinte[1]
        assert len(vistos) == len(set(vistos)) == muitos
        for ruim in ("lixo", "W10", "WyJzZXRvciIsImEiLCJiIl0"):
            assert (await c.get("/api/agentes", params={"cursor": ruim})).status_code == 422


async def test_the_pages_go_on_and_keep_the_search(navegar, muitos) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/agentes", q="zuleica")
        assert "230 registros" in tela.texto
        vistos: list[str] = []
        while True:
            vistos += [x for x in tela.links if re.fullmatch(r"/agentes/[0-9a-f-]{36}", x)]
            proxima = next((x for x in tela.links if "pagina=" in x), None)
            if proxima is None:
                break
            assert "q=zuleica" in proxima
            tela = await pessoa.ver(proxima)
        assert len(vistos) == len(set(vistos)) == 230
        assert "/agentes?q=zuleica" in tela.links
