"""An agente leaves, everything at once; and what waits for somebody is on the first page."""

from __future__ import annotations

import datetime as dt
import re

import psycopg
from test_transferencias import OWN, em_uso, outro_setor, um


async def test_everything_a_leaving_agente_has_goes_to_somebody_else_at_once(cliente, navegar, cidade) -> None:
    sai, quantos = um(
        cidade,
        """select agente_id::text, count(*) from patrimonio where situacao <> 'baixado' and agente_id in
           (select agente_id from patrimonio where situacao = 'em_manutencao') group by 1 order by 2 desc limit 1""",
    )
    imoveis = um(cidade, "select count(*) from imovel where agente_id = %s and estado <> 'baixado'", sai)
    fica, nome = um(cidade, "select id::text, nome from agente where id <> %s order by nome limit 1", sai)
    async with cliente("gestor@demo.local") as c:
        versao = (await c.get(f"/api/agentes/{sai}")).json()["versao"]
        r = await c.patch(f"/api/agentes/{sai}", json={"ativo": False}, headers={"If-Match": str(versao)})
        assert (r.status_code, "ainda tem bens" in r.text) == (422, True), "nobody with assets is retired"
        r = await c.post(f"/api/agentes/{sai}/saida", json={"sucessor_id": sai, "motivo": "Aposentadoria"})
        assert r.json()["errors"][0]["field"] == "sucessor_id"

        emprestado = {"agente_id": sai, "saida": "2026-03-02", "previsao": "2026-03-20", "finalidade": "Em casa"}
        (de_outro,) = em_uso(cidade, 1, f"agente_id <> '{sai}'")
        emprestimo = (await c.post("/api/emprestimos", json={**emprestado, "numeros": [de_outro]})).json()["items"][0]
        saida = {"sucessor_id": fica, "motivo": "Aposentadoria"}
        r = await c.post(f"/api/agentes/{sai}/saida", json=saida)
        assert (r.status_code, "bens emprestados" in r.text) == (422, True)
        assert um(cidade, "select count(*) from evento where acao = 'passar_carga'") == 0, "nothing of it was done"
        await c.post(f"/api/emprestimos/{emprestimo['id']}/devolucao", json={"devolvido_em": "2026-03-03"})

        r = await c.post(f"/api/agentes/{sai}/saida", json=saida)
        assert (r.status_code, r.json()) == (200, {"bens": quantos, "imoveis": imoveis}), r.text
        assert (await c.get(f"/api/agentes/{sai}")).json()["ativo"] is False
    with psycopg.connect(cidade.conninfo) as conn:
        eventos = conn.execute(
            """select entidade, count(*), count(distinct requisicao), min(depois->>'sucessor'), min(depois->>'agente_id')
               from evento where acao = 'passar_carga' group by 1 order by 1"""
        ).fetchall()
    dos_imoveis = [("imovel", imoveis, 1, None, fica)] if imoveis else []
    assert eventos == [("agente", 1, 1, nome, None), *dos_imoveis, ("patrimonio", quantos, 1, None, fica)]
    assert um(cidade, "select count(*) from patrimonio where agente_id = %s and situacao <> 'baixado'", sai) == 0
    async with navegar("gestor") as pessoa:
        ficha = await pessoa.ver(f"/agentes/{sai}")
        assert f"Quem recebe tudo {nome}" in ficha.texto
        assert f"/agentes/{sai}/saida" not in ficha.links
        tela = await pessoa.ver(f"/agentes/{fica}/saida")
        feita = await pessoa.mandar(
            tela.formulario(f"/agentes/{fica}/saida"), motivo="Férias", desativar="false",
            sucessor_id=um(cidade, "select id::text from agente where ativo and id <> %s order by nome limit 1", fica),
        )  # fmt: skip
        assert "Carga passada" in feita.texto


async def test_the_first_page_shows_what_waits_for_whom(cliente, navegar, cidade) -> None:
    hoje = dt.datetime.now(dt.UTC).date()
    (meu,), (alheio,) = em_uso(cidade, 1, f"setor_id in {OWN}"), em_uso(cidade, 1, f"setor_id not in {OWN}")
    with psycopg.connect(cidade.conninfo) as conn:
        for tabela, fim in (("transferencia_item", "estado = 'cancelada', decidida_em = now(), decidida_por = u.id"),
                            ("transferencia", "estado = 'cancelada', decidida_em = now()"),
                            ("emprestimo", "devolvido_em = previsao")):  # fmt: skip
            conn.execute(f"update {tabela} set {fim} from usuario u where u.papel = 'gestor'")
        conn.execute("update patrimonio set situacao = 'em_uso' where situacao in ('em_transferencia', 'emprestado')")
        conn.execute("update patrimonio set garantia_ate = %s where numero = %s", [hoje + dt.timedelta(days=9), meu])
        conn.execute(
            "update patrimonio set garantia_ate = %s where numero = %s", [hoje + dt.timedelta(days=90), alheio]
        )
    perto = outro_setor(cidade, alheio, f"s.id in {OWN}")
    longe = outro_setor(cidade, meu, f"s.id not in {OWN}")
    async with navegar("responsavel") as pessoa:
        inicio = await pessoa.ver("/")
        assert "a aceitar ou recusar" not in inicio.texto
        assert "1 garantia termina em 30 dias" in inicio.texto
        assert f"{meu:06}" in inicio.texto
    async with cliente("gestor@demo.local") as c:
        for numero, destino in ((alheio, perto), (meu, longe)):
            r = await c.post("/api/transferencias", json={
                "numeros": [numero], "destino_id": destino["destino_id"], "motivo": "Sala nova"})  # fmt: skip
            assert r.status_code == 201, r.text
        (outro,) = em_uso(cidade, 1, f"setor_id in {OWN} and numero <> {meu}")
        atrasado = {"tomador": "Escola", "saida": "2026-03-02", "previsao": "2026-03-20", "finalidade": "Feira"}
        assert (await c.post("/api/emprestimos", json={**atrasado, "numeros": [outro]})).status_code == 201
    async with navegar("responsavel") as pessoa:
        inicio = await pessoa.ver("/")
        assert "1 transferência a aceitar ou recusar" in inicio.texto, "to accept; not what they gave away"
        assert "1 empréstimo atrasado" in inicio.texto
        assert "manutenç" not in inicio.texto.lower().split("bens por situação")[0], "of what they cannot end"
    async with navegar("gestor") as pessoa:
        assert "2 transferências a aceitar ou recusar" in (await pessoa.ver("/")).texto
    async with navegar("consulta") as pessoa:
        assert not re.search("aceitar ou recusar|atrasad", (await pessoa.ver("/")).texto), (
            "who only reads waits for nothing"
        )
