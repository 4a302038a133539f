"""Custody of many assets at once: all or none, audited one by one, and only what was confirmed."""

from __future__ import annotations

import re

import psycopg
import pytest
from leitor import Formulario
from test_patrimonios import novo


async def destino(c, setor: str | None = None) -> dict[str, str]:
    local = next(x for x in (await c.get("/api/locais")).json() if setor is None or x["setor_id"] == setor)
    agente = (await c.get("/api/agentes", params={"setor": local["setor_id"]})).json()[0]
    return {"local_id": local["id"], "agente_id": agente["id"]}


def vivos(cidade, onde: str = "true") -> list[int]:
    with psycopg.connect(cidade.conninfo) as conn:
        return [
            n
            for (n,) in conn.execute(f"select numero from patrimonio where situacao <> 'baixado' and {onde} order by 1")
        ]


def escolhido(tela, **marcados: str) -> Formulario:
    """The form of the list, as it is sent when those boxes are ticked."""
    lista = next(f for f in tela.formularios if f.acao == "/patrimonios/carga")
    lista.valores = {n: v for n, v in lista.valores.items() if n != "bem"} | marcados
    return lista


async def test_the_ticked_assets_are_handed_over_together_and_audited_each(navegar, cliente, cidade) -> None:
    tres = vivos(cidade, "situacao = 'em_uso'")[:3]
    async with cliente("gestor@demo.local") as c, navegar("gestor") as pessoa:
        para = await destino(c)
        assert 'name="bem"' in (await pessoa.ver("/patrimonios")).html
        tela = await pessoa.ver("/patrimonios/carga?" + "&".join(f"bem={n}" for n in tres))
        assert "3 bens: " in tela.texto
        lista = await pessoa.mandar(tela.formulario("/patrimonios/carga"), **para)
        assert "Carga trocada de" in lista.texto
        assert "data-gravado" in lista.html, "its draft is forgotten"
        termo = lista.formulario("/termos/novo").valores
        assert (termo["tipo"], termo["assunto_id"]) == ("responsabilidade", para["agente_id"])
        for numero in tres:
            (bem,) = [
                b
                for b in (await c.get("/api/patrimonios", params={"q": str(numero)})).json()["items"]
                if b["numero"] == numero
            ]
            assert (bem["local"]["id"], bem["agente"]["id"]) == (para["local_id"], para["agente_id"])
            historico = (await c.get(f"/api/patrimonios/{bem['id']}/historico")).json()
            assert historico[0]["acao"] == "trocar_carga"
            assert historico[0]["depois"]["agente_id"] == para["agente_id"]
            assert historico[0]["antes"].keys() == historico[0]["depois"].keys()


async def test_all_of_a_search_needs_the_number_that_was_confirmed(navegar, cliente, cidade) -> None:
    async with cliente("gestor@demo.local") as c, navegar("gestor") as pessoa:
        corpo = await novo(c, descricao="Poltrona de auditório", quantidade=250)
        await c.post("/api/patrimonios", json=corpo)
        lista = await pessoa.ver("/patrimonios", q="poltrona auditório")
        assert "Trocar a carga dos 250 bens desta busca" in lista.texto
        pedido = escolhido(lista, todos_da_busca="1")
        tela = await pessoa.ver(pedido.acao, **pedido.valores)
        assert "250 bens: todos os que a busca acha." in tela.texto
        formulario = tela.formulario("/patrimonios/carga")
        await c.post("/api/patrimonios", json={**corpo, "quantidade": 1})
        para = await destino(c)
        recusada = await pessoa.mandar(formulario, **para)
        assert recusada.estado == 422
        assert "Eram 250 bens e agora são 251" in recusada.texto
        assert "251 bens: todos" in recusada.texto
        feita = await pessoa.mandar(recusada.formulario("/patrimonios/carga"))
        assert feita.estado == 200
    with psycopg.connect(cidade.conninfo) as conn:
        (em_outras_maos,) = conn.execute(
            "select count(*) from patrimonio where descricao like 'Poltrona%%' and agente_id = %s", [para["agente_id"]]
        ).fetchone()
    assert em_outras_maos == 251


async def test_what_is_left_blank_stays_as_it_is_for_each(cliente, cidade) -> None:
    dois = vivos(cidade)[:2]
    with psycopg.connect(cidade.conninfo) as conn:
        antes = conn.execute(
            "select numero, setor_id, local_id from patrimonio where numero = any(%s) order by 1", [dois]
        ).fetchall()
    async with cliente("gestor@demo.local") as c:
        para = await destino(c)
        r = await c.post("/api/patrimonios/carga", json={"numeros": dois, "agente_id": para["agente_id"]})
        assert r.status_code == 200
        assert (
            await c.post("/api/patrimonios/carga", json={"numeros": dois, "agente_id": para["agente_id"]})
        ).json() == {"trocados": 0}
    with psycopg.connect(cidade.conninfo) as conn:
        depois = conn.execute(
            "select numero, setor_id, local_id from patrimonio where numero = any(%s) order by 1", [dois]
        ).fetchall()
        eventos = conn.execute("select count(*) from evento where acao = 'trocar_carga'").fetchone()
    assert antes == depois
    assert eventos == (r.json()["trocados"],)


@pytest.mark.parametrize(
    ("numeros", "diz"),
    [([999_999], "não estão ao seu alcance: 999999"), ([], "Preencha|pelo menos"), (["x"], "inteiro"), (None, "baixados")],
)  # fmt: skip
async def test_none_is_changed_where_one_cannot_be(cliente, cidade, numeros, diz) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        if numeros is None:
            conn.execute("update patrimonio set situacao = 'baixado' where numero = 2")
            numeros = [1, 2]
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/patrimonios/carga", json={"numeros": numeros, **await destino(c)})
        assert r.status_code == 422
        assert re.search(diz, r.text), r.text
    with psycopg.connect(cidade.conninfo) as conn:
        assert conn.execute("select count(*) from evento where acao = 'trocar_carga'").fetchone() == (0,)


async def test_nobody_hands_over_assets_of_another_setor(cliente, navegar, cidade) -> None:
    meus = "setor_id in (select setor_id from usuario_setor join usuario u on u.id = usuario_id where papel = 'responsavel')"
    alheio, meu = vivos(cidade, f"not {meus}")[0], vivos(cidade, meus)[0]
    async with cliente("responsavel@demo.local") as c:
        para = await destino(c)
        r = await c.post("/api/patrimonios/carga", json={"numeros": [meu, alheio], **para})
        assert r.status_code == 422
        assert f"{alheio:06}" in r.text
    async with navegar("consulta") as pessoa:
        assert 'name="bem"' not in (await pessoa.ver("/patrimonios")).html
        assert (await pessoa.ver("/patrimonios/carga", bem=str(meu))).estado == 403
