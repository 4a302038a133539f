"""Commissions: as many members as the city says, for a purpose and a time, and what they did keeps their names."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg

NOVA = {"portaria": "21/2026", "finalidade": "baixa", "inicio": "2026-01-05", "fim": "2026-06-30"}


def matriculas(cidade: Any, quantas: int) -> list[str]:
    with psycopg.connect(cidade.conninfo) as conn:
        return [
            row[0] for row in conn.execute("select matricula from agente where ativo order by 1 limit %s", [quantas])
        ]


async def test_a_commission_has_its_members_its_act_and_its_time(cliente, navegar, cidade) -> None:
    quatro = matriculas(cidade, 4)
    async with cliente("gestor@demo.local") as c:
        for errado, diz in ((quatro[:2], "pelo menos 3 membros"), ([*quatro[:3], quatro[0]], "mais de uma vez"),
                            ([*quatro[:2], "NADA"], "NADA")):  # fmt: skip
            r = await c.post("/api/comissoes", json={**NOVA, "matriculas": errado})
            assert (r.status_code, r.json()["errors"][0]["field"], diz in r.text) == (422, "matriculas", True), r.text
        r = await c.post("/api/comissoes", json={**NOVA, "matriculas": quatro[2::-1]})
        assert r.status_code == 201, r.text
        uma = r.json()
        assert [m["matricula"] for m in uma["membros"]] == quatro[2::-1], "the first presides"
        assert (await c.post("/api/comissoes", json={**NOVA, "matriculas": quatro})).json()["errors"][0][
            "field"
        ] == "portaria"
        caminho = f"/api/comissoes/{uma['id']}"
        mudada = {**NOVA, "fim": "2026-12-31", "matriculas": quatro}
        r = await c.put(caminho, json=mudada, headers={"If-Match": "1"})
        assert (r.status_code, len(r.json()["membros"]), r.json()["versao"]) == (200, 4, 2)
        r = await c.put(caminho, json=mudada, headers={"If-Match": "1"})
        assert (r.status_code, len(r.json()["current"]["membros"])) == (412, 4)
        assert (await c.put(caminho, json=mudada, headers={"If-Match": "2"})).json()["versao"] == 2, "nothing changed"
        antes = (await c.get(f"/api/auditoria?registro={uma['id']}")).json()[0]["antes"]
        assert antes["fim"] == "2026-06-30"
        assert antes["membros"].count(",") == 2
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/comissoes/nova")
        feita = await pessoa.mandar(
            tela.formulario("/comissoes/nova"),
            portaria="22/2026",
            inicio="05/01/2026",
            fim="31/01/2026",
            matriculas="\n".join(quatro),
        )
        assert "Cadastro gravado" in feita.texto, feita.texto
        assert "Vencida" in feita.texto
        assert "22/2026" in (await pessoa.ver("/comissoes", estado="vencida")).texto
        editar = next(x for x in feita.links if x.endswith("/editar"))
        formulario = (await pessoa.ver(editar)).formulario(editar)
        assert formulario.valores["matriculas"].split() == quatro
        assert "Alterações gravadas" in (await pessoa.mandar(formulario, observacao="Prorrogada", fim="")).texto
        encerrar = editar.replace("/editar", "/encerrar")
        fim = await pessoa.mandar((await pessoa.ver(encerrar)).formulario(encerrar), encerrada_em="28/02/2026")
        assert "Comissão encerrada" in fim.texto
    async with cliente("responsavel@demo.local") as c:
        assert (await c.get(caminho)).status_code == 200, "an act is public"
        assert (await c.post("/api/comissoes", json=NOVA)).status_code in (403, 422)


async def test_forms_offer_who_acts_today_and_who_ended_within_a_year_and_a_count_only_the_first(
    cliente, navegar, cidade
) -> None:
    today = dt.date.today()  # noqa: DTZ011 - a day more or less does not matter here
    ended, long_ago = today - dt.timedelta(days=90), today - dt.timedelta(days=500)
    tres = matriculas(cidade, 3)
    async with cliente("gestor@demo.local") as c:
        for portaria, fim in (("51/X", None), ("52/X", ended), ("53/X", long_ago)):
            nova = {"portaria": portaria, "finalidade": "geral", "inicio": "2020-01-02", "matriculas": tres}
            r = await c.post("/api/comissoes", json=nova | ({"fim": str(fim)} if fim else {}))
            assert r.status_code == 201, r.text
    async with navegar("gestor") as pessoa:
        for caminho, oferecidas in (
            ("/reavaliacoes/nova", ["51/X", "52/X"]), ("/regularizacoes/nova", ["51/X", "52/X"]),
            ("/inventarios/novo", ["51/X"]),
        ):  # fmt: skip
            html = (await pessoa.ver(caminho)).html
            assert [each for each in ("51/X", "52/X", "53/X") if f"Portaria {each}" in html] == oferecidas, caminho
            assert html.find("51/X") < html.find("52/X") or "52/X" not in html, "those that act come first"
            assert ("52/X" in html) == (f"Portaria 52/X, até {ended:%d/%m/%Y}" in html)
