"""Reports on values: for assets or a class, of an open month only, taken back by an administrator while it is open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest

from esteio.postgres import Database, Dsn

D = Decimal
DAY = "2026-09-10"
SAID = {"data": DAY, "laudo": "3/2026", "justificativa": "Pesquisa de preços de mercado"}


@pytest.fixture
async def db(cidade: Dsn) -> AsyncIterator[Database]:
    async with Database(cidade, min_size=1) as db:
        yield db


async def commission(c: httpx2.AsyncClient, portaria: str = "31/2026") -> str:
    agentes = (await c.get("/api/agentes")).json()
    new = {"portaria": portaria, "finalidade": "avaliacao", "inicio": "2026-01-05",
           "matriculas": [a["matricula"] for a in agentes[:3]]}  # fmt: skip
    return str((await c.post("/api/comissoes", json=new)).json()["id"])


async def bought(c: httpx2.AsyncClient, cidade: Dsn, number: int = 1) -> list[dict[str, Any]]:
    """Assets of 6,000.00 over 60 months, 10 % residual: 90.00 a month, in use since January."""
    stored = (await c.get("/api/patrimonios")).json()["items"][0]
    whole = (await c.get(f"/api/patrimonios/{stored['id']}")).json()
    new = {
        "descricao": "Servidor de arquivos", "classe_id": whole["classe"]["id"], "valor": "6000.00", "vida_util_meses": 60,
        "residual_pct": "10.00", "data_aquisicao": "2026-01-10", "setor_id": whole["setor"]["id"],
        "local_id": whole["local"]["id"], "agente_id": whole["agente"]["id"],
    }  # fmt: skip
    made = [(await c.post("/api/patrimonios", json=new)).json() for _ in range(number)]
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update classe set depreciavel = true where id = %s", [whole["classe"]["id"]])
    return made


def close(cidade: Dsn, month: str) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("select fechar_mes(%s, 'mes', id) from usuario where papel = 'gestor' limit 1", [month])


async def of(c: httpx2.AsyncClient, asset: dict[str, Any]) -> dict[str, Any]:
    return (await c.get(f"/api/patrimonios/{asset['id']}/depreciacao")).json()


async def test_a_revaluation_restarts_the_depreciation_and_an_impairment_stands_beside_it(cliente, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        up, down, longer = await bought(c, cidade, 3)
        said = {**SAID, "comissao_id": await commission(c)}
        close(cidade, "2026-08-01")
        for kind, body in (
            ("reavaliacao", {"bens": [{"numero": up["numero"], "valor": "8000.00"}], "vida_util_meses": 100}),
            (
                "reducao",
                {"bens": [{"numero": down["numero"], "valor": "1000.00"}], "vida_util_meses": 10, "residual_pct": "0"},
            ),
            ("revisao", {"bens": [{"numero": longer["numero"]}], "vida_util_meses": 96}),
        ):
            r = await c.post("/api/reavaliacoes", json={**said, "tipo": kind, **body})
            assert r.status_code == 201, r.text
            made = r.json()
            (item,) = (await c.get(f"/api/reavaliacoes/{made['id']}/bens")).json()["items"]
            assert item["valor_antes"] == "5280.00", "eight months of 90.00"
            assert (made["valor_antes"], made["bens"], made["membros"].count("\n")) == ("5280.00", 1, 2)
        close(cidade, "2026-09-01")
        (now, *_), entries = (await of(c, up))["meses"], (await of(c, up))["lancamentos"]
        # What is left to depreciate is 8,000.00 less the residual of before, 600.00, over 100 months.
        assert (now["bruto"], now["acumulada"], now["depreciacao"], now["liquido"]) == (
            "8000.00",
            "74.00",
            "74.00",
            "7926.00",
        )
        assert {(e["especie"], e["componente"]): e["valor"] for e in entries if e["competencia"] == "2026-09-01"} == {
            ("reavaliacao", "bruto"): "2000.00", ("reavaliacao", "acumulada"): "-720.00",
            ("depreciacao", "acumulada"): "74.00",
        }  # fmt: skip
        (now, *_) = (await of(c, down))["meses"]
        assert (now["bruto"], now["acumulada"], now["perda"], now["liquido"]) == (
            "6000.00",
            "820.00",
            "4280.00",
            "900.00",
        )
        (now, *_) = (await of(c, longer))["meses"]
        assert (now["bruto"], now["perda"], now["depreciacao"]) == ("6000.00", "0.00", "48.75"), (
            "(5,280 - 600) over 96 months"
        )
        history = (await c.get(f"/api/patrimonios/{up['id']}/historico")).json()
        assert history[0]["acao"] == "reavaliar"
        assert history[0]["antes"] == {"valor_liquido": "5280.00"}
        told = {"valor_liquido": "8000.00", "vida_util_meses": 100, "residual": "600.00"}
        assert history[0]["depois"] == told, "all that the depreciation goes on from"


async def test_a_class_is_revalued_by_a_share_of_what_each_is_worth(cliente, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        with psycopg.connect(cidade.conninfo) as conn:
            row = conn.execute(
                "select classe_id::text from patrimonio group by 1 order by count(*) desc limit 1"
            ).fetchone()
            assert row is not None
            count = conn.execute(
                "select count(*) from patrimonio where classe_id = %s and situacao <> 'baixado' and posse = 'proprio'"
                " and data_aquisicao <= %s", [row[0], DAY],
            ).fetchone()  # fmt: skip
        body = {
            **SAID,
            "comissao_id": await commission(c),
            "tipo": "reavaliacao",
            "classe_id": row[0],
            "percentual": "112.5",
        }
        r = await c.post("/api/reavaliacoes", json=body)
        assert r.status_code == 201, r.text
        made = r.json()
        assert count == (made["bens"],)
        assert abs(D(made["valor_depois"]) - D(made["valor_antes"]) * D("1.125")) <= D("0.005") * made["bens"]
        again = await c.post("/api/reavaliacoes", json=body)
        assert (again.status_code, "neste mês" in again.text) == (422, True)


async def test_what_cannot_be_is_said_beside_its_field(cliente, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        (asset,) = await bought(c, cidade)
        of_one = {"bens": [{"numero": asset["numero"], "valor": "100.00"}]}
        said = {**SAID, "comissao_id": await commission(c), "tipo": "reavaliacao", **of_one}
        close(cidade, "2026-08-01")

        async def wrong(**more: Any) -> set[str]:
            r = await c.post("/api/reavaliacoes", json={**said, **more})
            assert r.status_code == 422, r.text
            return {each["field"] for each in r.json()["errors"]}

        assert await wrong(data="2026-08-31") == {"data"}, "a closed month"
        assert await wrong(data="2099-01-01") == {"data"}
        assert await wrong(bens=[{"numero": 999_999, "valor": "1.00"}]) == {"bens"}
        assert await wrong(bens=[]) == {"bens"}
        assert await wrong(bens=[{"numero": asset["numero"]}]) == {"bens"}, "no value"
        assert await wrong(tipo="reducao", bens=[{"numero": asset["numero"], "valor": "9000.00"}]) == {"bens"}
        assert await wrong(tipo="revisao") == {"vida_util_meses"}
        assert await wrong(classe_id=asset["classe"]["id"]) == {"bens"}, "both"
        assert await wrong(comissao_id="00000000-0000-4000-8000-000000000000") == {"comissao_id"}
    async with cliente("responsavel@demo.local") as c:
        assert (await c.post("/api/reavaliacoes", json=said)).status_code == 403
        assert (await c.get("/api/reavaliacoes")).status_code == 403


async def test_a_report_is_taken_back_while_its_month_is_open_and_the_value_is_that_of_before(cliente, cidade) -> None:
    why = {"estorno": "O laudo era de outros bens"}
    async with cliente("gestor@demo.local", limit_write=None) as c:
        one, other = await bought(c, cidade, 2)
        said = {**SAID, "comissao_id": await commission(c), "tipo": "reavaliacao"}
        made = [
            (
                await c.post(
                    "/api/reavaliacoes", json={**said, "bens": [{"numero": each["numero"], "valor": "9999.00"}]}
                )
            ).json()
            for each in (one, other)
        ]
        assert (await c.post(f"/api/reavaliacoes/{made[0]['id']}/estorno", json=why)).status_code == 403
    async with cliente("admin@demo.local", limit_write=None) as c:
        r = await c.post(f"/api/reavaliacoes/{made[0]['id']}/estorno", json=why)
        assert (r.status_code, r.json()["estado"]) == (200, "estornada")
        assert (await c.post(f"/api/reavaliacoes/{made[0]['id']}/estorno", json=why)).status_code == 422
        close(cidade, "2026-09-01")
        assert (await of(c, one))["meses"][0]["liquido"] == "5190.00", "nine months of 90.00"
        assert D((await of(c, other))["meses"][0]["bruto"]) == D("9999.00")
        r = await c.post(f"/api/reavaliacoes/{made[1]['id']}/estorno", json=why)
        assert (r.status_code, "fechados" in r.text) == (422, True)


async def test_the_form_takes_lines_as_people_write_them_and_the_card_shows_before_and_after(
    navegar, cliente, cidade
) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        one, other = await bought(c, cidade, 2)
        board = await commission(c)
    async with navegar("gestor") as pessoa:
        form = (await pessoa.ver(f"/reavaliacoes/nova?bem={one['numero']}")).formulario("/reavaliacoes/nova")
        assert form.valores["bens"].strip() == str(one["numero"])
        lines = f"{one['numero']} 7.500,50\n{other['numero']};R$ 10,00"
        tela = await pessoa.mandar(
            form, tipo="reavaliacao", data="10/09/2026", laudo="9/2026", comissao_id=board, bens=lines,
            justificativa="Pesquisa de preços de mercado",
        )  # fmt: skip
        assert tela.estado == 200, tela.texto
        assert "Laudo registrado" in tela.texto
        assert "7.500,50" in tela.texto
        assert "7.510,50" in tela.texto, "both together"
        assert "Reavaliações" in (await pessoa.ver("/reavaliacoes")).texto
