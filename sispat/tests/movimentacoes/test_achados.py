"""Missing and found again; found without a plate; a loan with a later day; a commission that writes off."""

from __future__ import annotations

import psycopg
from test_transferencias import OWN, em_uso, situacoes, um

NOTA = {"data": "2026-03-02", "circunstancia": "Não estava na sala na conferência"}


async def test_what_is_missing_is_found_again_and_nothing_else_is(cliente, navegar, cidade) -> None:
    meus = em_uso(cidade, 3, f"setor_id in {OWN}")
    (alheio,) = em_uso(cidade, 1, f"setor_id not in {OWN}")
    async with cliente("responsavel@demo.local") as c:
        r = await c.post("/api/localizacoes/falta", json={**NOTA, "numeros": [*meus, alheio]})
        assert (r.status_code, f"{alheio:06}" in r.text) == (422, True)
        r = await c.post("/api/localizacoes/falta", json={**NOTA, "numeros": meus[:2]})
        assert (r.status_code, situacoes(cidade, meus)) == (201, ["nao_localizado", "nao_localizado", "em_uso"]), r.text
        r = await c.post("/api/localizacoes/falta", json={**NOTA, "numeros": meus[:1]})
        assert r.status_code == 422
        emprestar = {
            "numeros": [meus[2]],
            "tomador": "Escola",
            "saida": "2026-03-02",
            "previsao": "2026-03-20",
            "finalidade": "Feira",
        }
        assert (await c.post("/api/emprestimos", json=emprestar)).status_code == 201
        r = await c.post("/api/localizacoes/reencontro", json={**NOTA, "numeros": [meus[0], meus[2]]})
        assert (r.status_code, f"Não estão “Não localizado”: {meus[2]:06}" in r.text) == (422, True), (
            "lent: it comes back otherwise"
        )
        assert situacoes(cidade, [meus[0]]) == ["nao_localizado"], "all or none"
        local, agente = um(
            cidade,
            f"select l.id::text, a.id::text from local l join agente a using (setor_id) where setor_id in {OWN}"
            " and l.id <> (select local_id from patrimonio where numero = %s) limit 1",
            meus[0],
        )
        r = await c.post(
            "/api/localizacoes/reencontro", json={**NOTA, "numeros": [meus[0]], "local_id": local, "agente_id": agente}
        )
        assert (r.status_code, r.json()["items"][0]["estado"]) == (201, "localizado"), r.text
        assert um(cidade, "select local_id::text, agente_id::text, situacao from patrimonio where numero = %s", meus[0]) == (
            local, agente, "em_uso",
        )  # fmt: skip
    async with navegar("responsavel") as pessoa:
        ficha = await pessoa.ver("/patrimonios", q=str(meus[1]))
        assert f"/localizacoes/encontrados?bem={meus[1]}" in ficha.links
        tela = await pessoa.ver(f"/localizacoes/encontrados?bem={meus[1]}")
        feita = await pessoa.mandar(
            tela.formulario("/localizacoes/encontrados"), data="03/03/2026", circunstancia="Estava no depósito"
        )
        assert "foi encontrado e está em uso" in feita.texto
        assert "Encontrado" in (await pessoa.ver("/localizacoes", bem=str(meus[1]))).texto
    acoes = um(
        cidade,
        "select array_agg(acao order by e.id) from evento e join patrimonio p on p.id = entidade_id"
        " where numero = %s and requisicao <> 'demo'",
        meus[1],
    )
    assert acoes == ["notar_falta", "encontrar"]


async def test_an_asset_found_without_a_plate_gets_a_number_by_appraisal(cliente, navegar, cidade) -> None:
    comissao, classe = um(cidade, "select (select id::text from comissao limit 1), id::text from classe limit 1")
    local, agente, setor = um(
        cidade, "select l.id::text, a.id::text, setor_id::text from local l join agente a using (setor_id) limit 1"
    )
    ultimo = um(cidade, "select ultimo from numeracao where escopo = 'patrimonio'")
    achado = {
        "encontrado_em": "2026-03-02", "circunstancia": "No depósito da escola, sem plaqueta", "comissao_id": comissao,
        "laudo": "L-77", "avaliado_em": "2026-03-05", "valor_avaliado": "250.00", "descricao": "Armário de aço",
        "classe_id": classe, "local_id": local, "agente_id": agente,
    }  # fmt: skip
    async with cliente("gestor@demo.local", limit_write=None) as c:
        for errado, campo in (
            ({"avaliado_em": "2026-03-01"}, "avaliado_em"),
            ({"avaliado_em": "2099-03-01"}, "avaliado_em"),
            ({"comissao_id": setor}, "comissao_id"),
            ({"encontrado_em": "2025-03-01", "avaliado_em": "2025-03-02"}, "comissao_id"),  # named in 2026
            ({"agente_id": setor}, "agente_id"),
        ):
            r = await c.post("/api/regularizacoes", json={**achado, **errado})
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, campo), r.text
        r = await c.post("/api/regularizacoes", json=achado, headers={"Idempotency-Key": "um-achado"})
        outra = await c.post("/api/regularizacoes", json=achado, headers={"Idempotency-Key": "um-achado"})
        assert (r.status_code, outra.json()) == (201, r.json()), r.text
        feita = r.json()
        assert (feita["portaria"], feita["membros"].count("\n")) == ("17/2026", 2)
        assert feita["patrimonio"]["numero"] == ultimo + 1, "what was refused took no number"
        bem = (await c.get(f"/api/patrimonios/{feita['patrimonio']['id']}")).json()
        assert (bem["valor"], bem["setor"]["id"], bem["data_disponivel"]) == ("250.00", setor, "2026-03-05")
        encerrada = await c.post(f"/api/comissoes/{comissao}/encerramento", json={"encerrada_em": "2026-03-04"})
        assert encerrada.status_code == 200
        r = await c.post("/api/regularizacoes", json=achado)
        assert r.json()["errors"][0]["field"] == "comissao_id", "it did not act any more on that day"
    async with navegar("gestor") as pessoa:
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update comissao set encerrada_em = null")
        tela = await pessoa.ver("/regularizacoes/nova")
        digitado = {**achado, "encontrado_em": "02/03/2026", "avaliado_em": "05/03/2026", "valor_avaliado": "99,90"}
        ficha = await pessoa.mandar(tela.formulario("/regularizacoes/nova"), **digitado)
        assert f"{ultimo + 2:06}" in ficha.texto, ficha.texto
        assert "Bem regularizado" in ficha.texto


async def test_a_loan_is_extended_with_who_and_why_and_late_only_after_the_new_day(cliente, cidade) -> None:
    (bem,) = em_uso(cidade, 1)
    async with cliente("gestor@demo.local") as c:
        emprestar = {
            "numeros": [bem],
            "tomador": "Escola",
            "saida": "2026-03-02",
            "previsao": "2026-03-20",
            "finalidade": "Feira",
        }
        uma = f"/api/emprestimos/{(await c.post('/api/emprestimos', json=emprestar)).json()['items'][0]['id']}"

        async def atrasado() -> bool:
            itens = (await c.get("/api/emprestimos", params={"estado": "atrasado", "bem": bem})).json()["items"]
            return bool(itens)

        assert await atrasado()
        for errado in ("2026-03-20", "2026-03-19", "2026-04-01"):
            r = await c.post(f"{uma}/prorrogacao", json={"previsao": errado, "motivo": "Feira adiada"})
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "previsao"), errado
        for vezes, dia in enumerate(("2099-03-20", "2099-03-27"), 1):
            r = await c.post(f"{uma}/prorrogacao", json={"previsao": dia, "motivo": f"Adiada {vezes}"})
            assert (r.json()["previsao"], r.json()["prorrogacoes"], r.json()["prorrogacao"]) == (
                dia,
                vezes,
                f"Adiada {vezes}",
            )
        assert r.json()["prorrogado_por"]["nome"].startswith("Gest")
        assert not await atrasado()
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update emprestimo set previsao = '2026-04-01' where id = %s", [uma.rsplit("/", 1)[1]])
        assert await atrasado(), "again, from the new day on"
        await c.post(f"{uma}/devolucao", json={"devolvido_em": "2026-03-10"})
        r = await c.post(f"{uma}/prorrogacao", json={"previsao": "2099-04-01", "motivo": "Tarde demais"})
        assert (r.status_code, "já está “Devolvido”" in r.text) == (422, True)
    eventos = um(
        cidade,
        "select array_agg((antes->>'previsao') || ' ' || (depois->>'previsao') || ' ' || (depois->>'prorrogacao') order by id)"
        " from evento where acao = 'prorrogar_emprestimo'",
    )
    assert eventos == ["2026-03-20 2099-03-20 Adiada 1", "2099-03-20 2099-03-27 Adiada 2"]


async def test_a_registered_commission_gives_a_write_off_its_act_and_members(cliente, cidade) -> None:
    (bem,) = em_uso(cidade, 1, "posse = 'proprio'")
    comissao = um(cidade, "select id::text from comissao limit 1")
    baixa = {
        "numeros": [bem], "motivo": "inutilizacao", "data": "2026-03-02", "justificativa": "Sem conserto que valha a pena",
        "laudo": "L-1", "comissao_id": comissao,
    }  # fmt: skip
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/baixas", json={**baixa, "data": "2025-12-31"})
        assert r.json()["errors"][0]["field"] == "comissao_id", "before it was named"
        r = await c.post("/api/baixas", json=baixa)
        assert r.status_code == 201, r.text
        feita = r.json()["items"][0]
        assert (feita["portaria"], feita["membros"].count("\n"), feita["comissao"]["nome"]) == ("17/2026", 2, "17/2026")
