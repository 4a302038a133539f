"""Write-offs: what each motive asks for is asked by form, API and database alike; taken back by an administrator alone."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from test_transferencias import em_uso, situacoes, um

from sispat.movimentacoes.rules import REQUIRED, MotivoDaBaixa

COMUM = {"data": "2026-03-02", "justificativa": "Decidido em reunião da comissão"}
TUDO: dict[str, Any] = {
    "processo": "2026/00123", "portaria": "17/2026", "membros": "Ana Souza\nRui Lima\nEva Castro", "valor_avaliado": "120.00",
    "laudo": "L-31", "destinatario": "Creche Sol Nascente", "destinatario_doc": "11222333000181", "boletim": "BO 4711/2026",
    "data_ocorrencia": "2026-03-01",
}  # fmt: skip


def _dados(motivo: MotivoDaBaixa) -> dict[str, Any]:
    return {**COMUM, "motivo": motivo, **{nome: TUDO[nome] for nome in REQUIRED[motivo]}}


async def test_each_motive_is_refused_without_any_of_what_it_asks_for_and_taken_with_it(cliente, cidade) -> None:
    bens = iter(em_uso(cidade, len(MotivoDaBaixa), "posse = 'proprio'"))
    async with cliente("gestor@demo.local", limit_write=None) as c:
        for motivo in MotivoDaBaixa:
            dados, bem = _dados(motivo), next(bens)
            for falta in REQUIRED[motivo]:
                sem = {nome: valor for nome, valor in dados.items() if nome != falta}
                r = await c.post("/api/baixas", json={**sem, "numeros": [bem]})
                assert (r.status_code, [e["field"] for e in r.json()["errors"]]) == (422, [falta]), (
                    motivo,
                    falta,
                    r.text,
                )
            assert situacoes(cidade, [bem]) == ["em_uso"]
            r = await c.post("/api/baixas", json={**dados, "numeros": [bem]})
            assert r.status_code == 201, (motivo, r.text)
            assert situacoes(cidade, [bem]) == ["baixado"]


def test_the_database_asks_for_the_same(cidade) -> None:
    """`rules.REQUIRED` and the constraints `baixa_<motivo>_exige` say one thing."""
    with psycopg.connect(cidade.conninfo) as conn:
        fixo = conn.execute(
            """select p.id as patrimonio_id, p.setor_id, u.id as registrada_por, 1 as valor, 'em_uso' as situacao_anterior
               from patrimonio p, usuario u where p.situacao = 'em_uso' and u.papel = 'gestor' limit 1"""
        )
        base = dict(zip([c.name for c in fixo.description], fixo.fetchone(), strict=True))

        def inserir(dados: dict[str, Any]) -> None:
            todos = {**base, **dados}
            conn.execute(
                f"insert into baixa ({', '.join(todos)}) values ({', '.join(f'%({n})s' for n in todos)})", todos
            )

        for motivo in MotivoDaBaixa:
            for falta in REQUIRED[motivo]:
                sem = {n: v for n, v in _dados(motivo).items() if n != falta}
                with pytest.raises(psycopg.errors.CheckViolation, match=f"baixa_{motivo}_exige"), conn.transaction():
                    inserir(sem)
            with conn.transaction(force_rollback=True):
                inserir(_dados(motivo))


async def test_a_commission_has_as_many_members_as_the_city_says_and_nobody_sells_what_is_not_theirs(
    cliente, cidade
) -> None:
    (nosso,), (alheio,) = em_uso(cidade, 1, "posse = 'proprio'"), em_uso(cidade, 1, "posse <> 'proprio'")
    leilao = _dados(MotivoDaBaixa.LEILAO)
    async with cliente("gestor@demo.local", commission_members=4) as c:
        r = await c.post("/api/baixas", json={**leilao, "numeros": [nosso]})
        assert "pelo menos 4 membros" in r.json()["errors"][0]["message"]
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/baixas", json={**leilao, "numeros": [nosso, alheio]})
        assert (r.status_code, f"{alheio:06}" in r.text) == (422, True)
        assert situacoes(cidade, [nosso]) == ["em_uso"], "all or none"
        r = await c.post("/api/baixas", json={**_dados(MotivoDaBaixa.EXTRAVIO), "numeros": [alheio]})
        assert r.status_code == 201, "what was lent to the city can be lost all the same"
        futuro = {**leilao, "data": "2099-01-01", "numeros": [nosso]}
        assert (await c.post("/api/baixas", json=futuro)).json()["errors"][0]["field"] == "data"


async def test_an_administrator_takes_a_write_off_back_and_the_asset_is_as_it_was(cliente, cidade) -> None:
    dois = em_uso(cidade, 2)
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update patrimonio set situacao = 'nao_localizado' where numero = %s", [dois[1]])
    async with cliente("gestor@demo.local") as gestor, cliente("admin@demo.local") as admin:
        r = await gestor.post("/api/baixas", json={**_dados(MotivoDaBaixa.EXTRAVIO), "numeros": dois})
        assert (r.status_code, situacoes(cidade, dois)) == (201, ["baixado"] * 2), r.text
        baixas = {b["patrimonio"]["numero"]: b for b in r.json()["items"]}
        uma = f"/api/baixas/{baixas[dois[1]]['id']}"
        r = await gestor.post("/api/baixas", json={**_dados(MotivoDaBaixa.EXTRAVIO), "numeros": dois})
        assert (r.status_code, "estão baixados" in r.text) == (422, True)
        assert (await gestor.post(f"{uma}/estorno", json={"estorno": "Apareceu no depósito"})).status_code == 403
        assert (await admin.post(f"{uma}/estorno", json={"estorno": "curto"})).status_code == 422
        r = await admin.post(f"{uma}/estorno", json={"estorno": "Apareceu no depósito"})
        assert (r.json()["estado"], r.json()["estornada_por"]["nome"][:3]) == ("estornada", "Adm")
        assert situacoes(cidade, dois) == ["baixado", "nao_localizado"]
        r = await admin.post(f"{uma}/estorno", json={"estorno": "Apareceu no depósito"})
        assert (r.status_code, "já está “Estornada”" in r.text) == (422, True)
        r = await gestor.post("/api/baixas", json={**_dados(MotivoDaBaixa.EXTRAVIO), "numeros": [dois[1]]})
        assert r.status_code == 201, "one that was taken back may be written off again"
    id_ = baixas[dois[1]]["id"]
    acoes = um(cidade, "select array_agg(acao order by id) from evento where entidade_id = %s", id_)
    assert acoes == ["baixar", "estornar_baixa"]


async def test_the_form_asks_only_for_what_the_motive_asks_for(navegar, cidade) -> None:
    (bem,) = em_uso(cidade, 1, "posse = 'proprio'")
    async with navegar("gestor") as pessoa:
        ficha = await pessoa.ver("/patrimonios", q=str(bem))
        assert f"/baixas/nova?bem={bem}" in ficha.links
        motivos = await pessoa.ver(f"/baixas/nova?bem={bem}")
        assert f"/baixas/nova/furto_roubo?bem={bem}" in motivos.links
        tela = await pessoa.ver(f"/baixas/nova/furto_roubo?bem={bem}")
        formulario = tela.formulario("/baixas/nova/furto_roubo")
        assert formulario.visiveis - {""} == {
            "numeros", "data", "justificativa", "boletim", "data_ocorrencia", "comissao_id", "arquivo", "camera",
        }  # fmt: skip
        assert "Boletim de ocorrência (opcional)" not in tela.texto
        assert "Comissão (opcional)" in tela.texto
        digitado = {"data": "02/03/2026", "justificativa": "Sala arrombada no fim de semana"}
        recusada = await pessoa.mandar(formulario, **digitado)
        assert (recusada.estado, "exige este dado" in recusada.texto) == (422, True)
        feita = await pessoa.mandar(
            recusada.formulario("/baixas/nova/furto_roubo"), boletim="BO 1", data_ocorrencia="01/03/2026"
        )
        assert "Baixa registrada." in feita.texto
        assert not [x for x in feita.links if x.endswith("/estornar")], "only an administrator takes it back"
        assert (await pessoa.ver("/baixas/nova/sorteio")).estado == 404
    async with navegar("admin") as pessoa:
        ficha = await pessoa.ver("/patrimonios", q=str(bem))
        lista = await pessoa.ver(next(x for x in ficha.links if x.startswith("/baixas?bem=")))
        card = await pessoa.ver(next(x for x in lista.links if x.startswith("/baixas/") and len(x) > 40))
        estornar = next(x for x in card.links if x.endswith("/estornar"))
        desfeita = await pessoa.mandar(
            (await pessoa.ver(estornar)).formulario(estornar), estorno="Achado na outra sala"
        )
        assert "Baixa desfeita" in desfeita.texto
    assert situacoes(cidade, [bem]) == ["em_uso"]
