"""Loans and maintenance: assets go, each with its own record, and come back; what is late is seen and never stored."""

from __future__ import annotations

import csv
import datetime as dt
import io

import psycopg
import pytest
from test_transferencias import OWN, em_uso, situacoes, um

DAY = "2026-03-02"
EMPRESTIMO = {"tomador": "Escola Estadual Rui Barbosa", "saida": DAY, "previsao": "2026-03-20", "finalidade": "Feira"}
MANUTENCAO = {"problema": "Não liga", "enviado_em": DAY, "fornecedor": "Oficina Central"}


async def test_assets_are_lent_together_come_back_one_by_one_and_late_ones_are_found(cliente, cidade) -> None:
    tres = em_uso(cidade, 3)
    async with cliente("gestor@demo.local") as c:
        amanha = str(dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2))
        r = await c.post("/api/emprestimos", json={**EMPRESTIMO, "numeros": tres, "saida": amanha, "previsao": amanha})
        assert (r.json()["errors"][0]["field"], situacoes(cidade, tres)) == ("saida", ["em_uso"] * 3)
        r = await c.post("/api/emprestimos", json={**EMPRESTIMO, "numeros": tres, "tomador_doc": "529.982.247-25"})
        assert r.status_code == 201, r.text
        feitos = r.json()["items"]
        assert [e["tomador_doc"] for e in feitos] == ["***.982.247-**"] * 3
        assert um(cidade, "select count(*) from evento where depois::text like '%%52998224725%%'") == 0
        assert situacoes(cidade, tres) == ["emprestado"] * 3
        atrasados = (await c.get("/api/emprestimos", params={"estado": "atrasado", "limit": 200})).json()["items"]
        assert {e["id"] for e in feitos} <= {e["id"] for e in atrasados}
        assert {e["estado"] for e in atrasados} == {"aberto"}, "late is derived, never stored"
        hoje = str(dt.datetime.now(dt.UTC).date())
        assert all(e["previsao"] <= hoje for e in atrasados)

        um_so = f"/api/emprestimos/{feitos[0]['id']}"
        r = await c.post(f"{um_so}/devolucao", json={"devolvido_em": "2026-03-01"})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "devolvido_em")
        r = await c.post(f"{um_so}/devolucao", json={"devolvido_em": "2026-03-10", "observacao": "Sem o controle"})
        assert (r.json()["estado"], r.json()["observacao"]) == ("devolvido", "Sem o controle")
        r = await c.post(f"{um_so}/devolucao", json={"devolvido_em": "2026-03-10"})
        assert (r.status_code, "já está “Devolvido”" in r.text) == (422, True)
        assert sorted(situacoes(cidade, tres)) == ["em_uso", "emprestado", "emprestado"]
        texto = (await c.get("/api/emprestimos.csv", params={"bem": tres[0]})).content.decode("utf-8-sig")
        (linha,) = csv.DictReader(io.StringIO(texto), delimiter=";")
        assert (linha["tomador"], linha["tomador_doc"]) == (EMPRESTIMO["tomador"], "***.982.247-**")


@pytest.mark.parametrize(
    ("errado", "campo"),
    [
        ({"tomador": ""}, "agente_id"),
        ({"previsao": "2026-03-01"}, "previsao"),
        ({"numeros": []}, "numeros"),
        ({"numeros": "1, 2; x"}, "numeros.2"),
        ({"tomador_doc": "123"}, "tomador_doc"),
    ],
)
async def test_what_a_loan_cannot_be_is_said_of_its_field(cliente, cidade, errado, campo) -> None:
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/emprestimos", json={**EMPRESTIMO, "numeros": em_uso(cidade, 1), **errado})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, campo), r.text


async def test_maintenance_says_what_was_done_and_what_it_cost(cliente, cidade) -> None:
    dois = em_uso(cidade, 2)
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/manutencoes", json={**MANUTENCAO, "numeros": dois, "em_garantia": True})
        assert (r.status_code, situacoes(cidade, dois)) == (201, ["em_manutencao"] * 2), r.text
        uma = r.json()["items"][0]
        r = await c.post(f"/api/manutencoes/{uma['id']}/conclusao", json={"concluido_em": DAY, "servico": "Fonte"})
        assert r.json()["errors"][0]["field"] == "custo"
        fim = {
            "concluido_em": "2026-03-18",
            "custo": "350.00",
            "servico": "Fonte trocada",
            "servico_garantido_ate": "2026-06-18",
        }
        r = await c.post(f"/api/manutencoes/{uma['id']}/conclusao", json=fim)
        assert (r.json()["estado"], r.json()["custo"]) == ("concluida", "350.00")
        bem = (await c.get(f"/api/patrimonios/{uma['patrimonio']['id']}/historico")).json()
        assert [e["acao"] for e in bem[:2]] == ["concluir_manutencao", "enviar_para_manutencao"]
        assert (await c.get("/api/manutencoes", params={"estado": "atrasada"})).status_code == 200
    async with cliente("responsavel@demo.local") as c:
        r = await c.post("/api/manutencoes", json={**MANUTENCAO, "numeros": em_uso(cidade, 1, f"setor_id in {OWN}")})
        assert r.status_code == 403


async def test_a_responsavel_lends_and_takes_back_from_the_pages(navegar, cidade) -> None:
    (meu,) = em_uso(cidade, 1, f"setor_id in {OWN}")
    (alheio,) = em_uso(cidade, 1, f"setor_id not in {OWN}")
    async with navegar("responsavel") as pessoa:
        ficha = await pessoa.ver("/patrimonios", q=str(meu))
        assert f"/emprestimos/novo?bem={meu}" in ficha.links
        tela = await pessoa.ver(f"/emprestimos/novo?bem={meu}")
        formulario = tela.formulario("/emprestimos/novo")
        assert formulario.valores["saida"] == str(dt.date.fromisoformat(formulario.valores["saida"]))
        digitado = {
            "tomador": "Escola Estadual",
            "saida": "02/03/2026",
            "previsao": "20/03/2026",
            "finalidade": "Feira",
        }
        recusado = await pessoa.mandar(formulario, **digitado, numeros=f"{meu} {alheio}")
        assert (recusado.estado, f"ao seu alcance: {alheio:06}" in recusado.texto) == (422, True)
        feito = await pessoa.mandar(recusado.formulario("/emprestimos/novo"), numeros=str(meu))
        assert "Empréstimo registrado." in feito.texto
        assert "Atrasado" in feito.texto
        devolver = next(x for x in feito.links if x.endswith("/devolver"))
        lista = await pessoa.ver("/emprestimos", estado="atrasado")
        assert devolver.removesuffix("/devolver") in lista.links
        tela = await pessoa.ver(devolver)
        devolvido = await pessoa.mandar(tela.formulario(devolver), devolvido_em="10/03/2026")
        assert "Devolução registrada" in devolvido.texto
    assert situacoes(cidade, [meu]) == ["em_uso"]


def test_the_database_refuses_what_the_forms_refuse(cidade) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        base = conn.execute(
            "select p.id, p.setor_id, u.id from patrimonio p, usuario u"
            " where p.situacao = 'em_uso' and u.papel = 'gestor' limit 1"
        ).fetchone()
        for sql in (
            "insert into emprestimo (patrimonio_id, setor_id, registrado_por, saida, previsao, finalidade)"
            " values (%s, %s, %s, '2026-03-02', '2026-03-03', 'Feira')",
            "insert into emprestimo (patrimonio_id, setor_id, registrado_por, saida, previsao, finalidade, tomador)"
            " values (%s, %s, %s, '2026-03-02', '2026-03-01', 'Feira', 'Escola')",
            "insert into manutencao (patrimonio_id, setor_id, registrada_por, tipo, problema, enviado_em, concluido_em)"
            " values (%s, %s, %s, 'corretiva', 'Nada', '2026-03-02', '2026-03-03')",
            "insert into manutencao (patrimonio_id, setor_id, registrada_por, tipo, problema, enviado_em, custo)"
            " values (%s, %s, %s, 'corretiva', 'Nada', '2026-03-02', -1)",
        ):
            with pytest.raises(psycopg.errors.CheckViolation), conn.transaction():
                conn.execute(sql, base)
