"""Transfers: who asks, who accepts, item by item or all at once; nothing changes hands before it is accepted."""

from __future__ import annotations

import csv
import io
from typing import Any

import psycopg
import pytest

from esteio.postgres import Dsn

OWN = "(select setor_id from usuario_setor us join usuario u on u.id = us.usuario_id where u.papel = 'responsavel')"


def um(cidade: Dsn, sql: str, *values: object) -> Any:
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute(sql, values).fetchone()
    return row if row is None or len(row) > 1 else row[0]


def em_uso(cidade: Dsn, quantos: int, onde: str = "true") -> list[int]:
    """Numbers of assets in use, of one setor."""
    with psycopg.connect(cidade.conninfo) as conn:
        rows = conn.execute(
            f"""with achados as (select numero, setor_id from patrimonio where situacao = 'em_uso' and {onde})
                select numero from achados where setor_id =
                (select setor_id from achados group by 1 order by count(*) desc, 1 limit 1) order by numero limit %s""",
            [quantos],
        ).fetchall()
    assert len(rows) == quantos
    return [row[0] for row in rows]


def outro_setor(cidade: Dsn, numero: int, onde: str = "true") -> dict[str, str]:
    """A setor in which this asset does not stand, with a local and an agente of it."""
    row = um(
        cidade,
        f"""select s.id, l.id, a.id from setor s join local l on l.setor_id = s.id join agente a on a.setor_id = s.id
            where s.id <> (select setor_id from patrimonio where numero = %s) and {onde} order by s.codigo limit 1""",
        numero,
    )
    return dict(zip(("destino_id", "local_id", "agente_id"), map(str, row), strict=True))


def situacoes(cidade: Dsn, numeros: list[int]) -> list[str]:
    with psycopg.connect(cidade.conninfo) as conn:
        return [
            row[0]
            for row in conn.execute("select situacao from patrimonio where numero = any(%s) order by numero", [numeros])
        ]


async def pedida(c, numeros: list[int], **para: str) -> dict[str, Any]:
    r = await c.post("/api/transferencias", json={"numeros": numeros, "motivo": "Mudança de sala", **para})
    assert r.status_code == 201, r.text
    (transferencia,) = r.json()["items"]
    return transferencia


async def test_a_transfer_is_asked_for_decided_in_parts_and_ends_as_the_best_of_them(cliente, cidade) -> None:
    cinco = em_uso(cidade, 5)
    para = outro_setor(cidade, cinco[0])
    async with cliente("gestor@demo.local") as c:
        t = await pedida(c, cinco, destino_id=para["destino_id"])
        assert (t["estado"], t["bens"], t["destino"]["id"]) == ("pendente", 5, para["destino_id"])
        assert situacoes(cidade, cinco) == ["em_transferencia"] * 5
        raiz, carga = f"/api/transferencias/{t['id']}", {n: para[n] for n in ("local_id", "agente_id")}
        antes = um(cidade, "select setor_id::text, agente_id::text from patrimonio where numero = %s", cinco[2])

        r = await c.post(f"{raiz}/aceite", json={"numeros": cinco[:2], "local_id": para["local_id"]})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "agente_id")
        r = await c.post(f"{raiz}/aceite", json={"numeros": cinco[:2], **carga})
        assert (r.status_code, r.json()["estado"]) == (200, "pendente")
        assert um(cidade, "select setor_id::text, agente_id::text from patrimonio where numero = %s", cinco[0]) == (
            para["destino_id"],
            para["agente_id"],
        )
        r = await c.post(f"{raiz}/recusa", json={"numeros": [cinco[2]], "observacao": "Sem o pé esquerdo"})
        assert r.json()["estado"] == "pendente"
        assert um(cidade, "select setor_id::text, agente_id::text from patrimonio where numero = %s", cinco[2]) == antes
        r = await c.post(f"{raiz}/recusa", json={"numeros": [cinco[0]], "observacao": "Tarde demais"})
        assert f"Não estão pendentes nesta transferência: {cinco[0]:06}" in r.json()["detail"]
        assert situacoes(cidade, cinco) == ["em_uso"] * 3 + ["em_transferencia"] * 2

        r = await c.post(f"{raiz}/cancelamento", json={})
        assert (r.json()["estado"], r.json()["decidida_em"] is not None) == ("aceita", True)
        assert situacoes(cidade, cinco) == ["em_uso"] * 5
        itens = (await c.get(f"{raiz}/bens", params={"limit": 3})).json()
        resto = (await c.get(f"{raiz}/bens", params={"limit": 3, "cursor": itens["next"]})).json()
        todos = itens["items"] + resto["items"]
        assert [i["estado"] for i in todos] == ["aceita", "aceita", "recusada", "cancelada", "cancelada"]
        assert [i["patrimonio"]["numero"] for i in todos] == cinco
        assert todos[2]["observacao"] == "Sem o pé esquerdo"
        for fim in ("aceite", "recusa", "cancelamento"):
            corpo = {"aceite": carga, "recusa": {"observacao": "Outra vez"}}.get(fim, {})
            r = await c.post(f"{raiz}/{fim}", json=corpo)
            assert r.status_code == 422
            assert "já foi decidida: “Aceita”" in r.text
    with psycopg.connect(cidade.conninfo) as conn:
        feitos = conn.execute(
            """select acao, count(*), count(distinct requisicao) from evento where entidade = 'patrimonio'
               and acao like '%%transferencia' and requisicao <> 'demo' group by 1 order by 1"""
        ).fetchall()
        da_carga = conn.execute(
            "select antes->>'situacao', depois->>'situacao', depois->>'agente_id' from evento"
            " where acao = 'aceitar_transferencia' and entidade = 'patrimonio' and requisicao <> 'demo'"
        ).fetchall()
    assert feitos == [
        ("aceitar_transferencia", 2, 1), ("cancelar_transferencia", 2, 1), ("pedir_transferencia", 5, 1),
        ("recusar_transferencia", 1, 1),
    ]  # fmt: skip
    assert da_carga == [("em_transferencia", "em_uso", para["agente_id"])] * 2


async def test_a_whole_carga_makes_a_transfer_for_each_setor_or_none(cliente, cidade) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update patrimonio set agente_id = (select agente_id from patrimonio where numero = 1)"
                     " where numero <= 40 and situacao <> 'baixado'")  # fmt: skip
        conn.execute("update patrimonio set situacao = 'em_uso' where agente_id = (select agente_id from patrimonio"
                     " where numero = 1) and situacao <> 'baixado'")  # fmt: skip
    agente, quantos, setores = um(
        cidade,
        """select agente_id::text, count(*), count(distinct setor_id) from patrimonio where situacao = 'em_uso' and agente_id =
           (select agente_id from patrimonio where numero = 1) group by 1""",
    )
    assert setores > 1
    destino = um(cidade, "select id::text from setor s where not exists (select from patrimonio where agente_id = %s"
                 " and setor_id = s.id) limit 1", agente)  # fmt: skip
    pedido = {"carga_de": agente, "destino_id": destino, "motivo": "Fim do programa"}
    async with cliente("gestor@demo.local") as c:
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute(
                "update patrimonio set situacao = 'emprestado' where numero = (select max(numero) from patrimonio"
                " where agente_id = %s and situacao = 'em_uso')",
                [agente],
            )
        r = await c.post("/api/transferencias", json=pedido)
        assert (r.status_code, "está “Emprestado”" in r.text) == (422, True)
        assert um(cidade, "select count(*) from transferencia where motivo = 'Fim do programa'") == 0
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute(
                "update patrimonio set situacao = 'em_uso' where agente_id = %s and situacao = 'emprestado'", [agente]
            )
        r = await c.post("/api/transferencias", json=pedido)
        assert r.status_code == 201, r.text
        assert (len(r.json()["items"]), sum(t["bens"] for t in r.json()["items"])) == (setores, quantos)
        r = await c.post("/api/transferencias", json=pedido | {"numeros": [1]})
        assert r.json()["errors"][0]["field"] == "numeros"


async def test_a_responsavel_asks_and_cancels_for_their_setores_and_accepts_for_their_setores(cliente, cidade) -> None:
    meus, alheios = em_uso(cidade, 2, f"setor_id in {OWN}"), em_uso(cidade, 2, f"setor_id not in {OWN}")
    longe = outro_setor(cidade, meus[0], f"s.id not in {OWN} and s.id <> (select setor_id from patrimonio"
                        f" where numero = {alheios[0]})")  # fmt: skip
    perto = outro_setor(cidade, alheios[0], f"s.id in {OWN}")
    async with cliente("gestor@demo.local") as gestor, cliente("responsavel@demo.local") as c:
        minha = await pedida(c, [meus[0]], destino_id=longe["destino_id"])
        r = await c.post(f"/api/transferencias/{minha['id']}/aceite", json={"local_id": longe["local_id"]})
        assert r.status_code == 403, "who gives away does not accept"
        assert (await c.post(f"/api/transferencias/{minha['id']}/cancelamento", json={})).json()[
            "estado"
        ] == "cancelada"

        para_mim = await pedida(gestor, [alheios[0]], destino_id=perto["destino_id"], agente_id=perto["agente_id"])
        assert (await c.get(f"/api/transferencias/{para_mim['id']}")).status_code == 200
        r = await c.post(f"/api/transferencias/{para_mim['id']}/cancelamento", json={})
        assert r.status_code == 403, "who receives refuses, and does not cancel"
        bem = um(cidade, "select id from patrimonio where numero = %s", alheios[0])
        assert (await c.get(f"/api/patrimonios/{bem}")).status_code == 404
        r = await c.post(f"/api/transferencias/{para_mim['id']}/aceite", json={"local_id": longe["local_id"]})
        assert r.json()["errors"][0]["field"] == "local_id", "a local of the setor of destination"
        r = await c.post(f"/api/transferencias/{para_mim['id']}/aceite", json={"local_id": perto["local_id"]})
        assert (r.status_code, r.json()["estado"]) == (200, "aceita"), r.text
        assert (await c.get(f"/api/patrimonios/{bem}")).json()["setor"]["id"] == perto["destino_id"]

        dos_outros = await pedida(gestor, [alheios[1]], destino_id=longe["destino_id"])
        assert (await c.get(f"/api/transferencias/{dos_outros['id']}")).status_code == 404
        assert (
            await c.post(f"/api/transferencias/{dos_outros['id']}/recusa", json={"observacao": "Não"})
        ).status_code == 404
        r = await c.post("/api/transferencias", json={"numeros": [meus[1], alheios[1]], "motivo": "Sala", **longe})
        assert r.status_code == 422, "neither the assets of others nor their locais and agentes"
        vistas = {t["id"] for t in (await c.get("/api/transferencias", params={"limit": 200})).json()["items"]}
        assert {minha["id"], para_mim["id"]} <= vistas
        assert dos_outros["id"] not in vistas
    async with cliente("consulta@demo.local") as c:
        r = await c.post("/api/transferencias", json={"numeros": [meus[1]], "motivo": "Sala", **longe})
        assert r.status_code == 403


async def test_what_is_away_is_neither_handed_over_nor_transferred_again(cliente, cidade) -> None:
    (um_bem,) = em_uso(cidade, 1)
    para = outro_setor(cidade, um_bem)
    bem = um(cidade, "select id, versao from patrimonio where numero = %s", um_bem)
    async with cliente("gestor@demo.local") as c:
        t = await pedida(c, [um_bem], destino_id=para["destino_id"])
        r = await c.post("/api/transferencias", json={"numeros": [um_bem], "motivo": "De novo", **para})
        assert "está “Em transferência” e não passa a “Em transferência”" in r.text
        carga = {"setor_id": para["destino_id"], "local_id": para["local_id"], "agente_id": para["agente_id"]}
        r = await c.put(f"/api/patrimonios/{bem[0]}/carga", json=carga, headers={"If-Match": str(bem[1] + 1)})
        assert (r.status_code, "Primeiro ele volta" in r.text) == (422, True)
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update setor set ativo = false where id = %s", [para["destino_id"]]) if not um(
                cidade, "select count(*) from patrimonio where setor_id = %s", para["destino_id"]
            ) else conn.execute("update local set ativo = false where id = %s", [para["local_id"]])
        r = await c.post(f"/api/transferencias/{t['id']}/aceite", json={n: para[n] for n in ("local_id", "agente_id")})
        assert r.status_code == 422, "a retired local takes nothing"
        assert situacoes(cidade, [um_bem]) == ["em_transferencia"]
        r = await c.post(f"/api/transferencias/{t['id']}/recusa", json={"observacao": "Sala desativada"})
        assert r.json()["estado"] == "recusada"


async def test_pages_let_a_person_ask_accept_and_follow_without_a_script(navegar, cidade) -> None:
    dois = em_uso(cidade, 2, f"setor_id not in {OWN}")
    para = outro_setor(cidade, dois[0], f"s.id in {OWN}")
    async with navegar("gestor") as pessoa:
        lista = await pessoa.ver("/patrimonios")
        assert 'formaction="/transferencias/nova"' in lista.html
        tela = await pessoa.ver(f"/transferencias/nova?bem={dois[0]}&bem={dois[1]}")
        formulario = tela.formulario("/transferencias/nova")
        assert formulario.valores["numeros"] == f"{dois[0]}, {dois[1]}"
        errada = await pessoa.mandar(formulario, destino_id=para["destino_id"], motivo="")
        assert (errada.estado, "Motivo: Preencha este campo." in errada.texto) == (422, True)
        feita = await pessoa.mandar(errada.formulario("/transferencias/nova"), motivo="Reforma do prédio")
        assert "Transferência pedida." in feita.texto
        endereco = next(x for x in feita.links if x.endswith("/cancelar")).removesuffix("/cancelar")
    async with navegar("responsavel") as pessoa:
        lista = await pessoa.ver("/transferencias", estado="pendente")
        assert endereco in lista.links
        tela = await pessoa.ver(endereco)
        assert f"{endereco}/aceitar" in tela.links
        assert f"{endereco}/cancelar" not in tela.links
        tela = await pessoa.ver(f"{endereco}/aceitar")
        aceita = await pessoa.mandar(
            tela.formulario(f"{endereco}/aceitar"), local_id=para["local_id"], agente_id=para["agente_id"]
        )
        assert "os bens mudaram de carga" in aceita.texto
        ficha = await pessoa.ver("/patrimonios", q=str(dois[0]))
        assert "Aceitou a transferência" in ficha.texto
        assert "Situação de Em transferência → para Em uso" in ficha.texto.replace(" ", " ")
        outra_vez = await pessoa.mandar(
            tela.formulario(f"{endereco}/aceitar"),
            local_id=para["local_id"],
            agente_id=para["agente_id"],
            _chave="outra",
        )
        assert (outra_vez.estado, "já foi decidida" in outra_vez.texto) == (422, True)
        tela = await pessoa.ver("/transferencias", bem="x")
        assert (tela.estado, "Número do bem: Informe um número inteiro." in tela.texto) == (422, True)


async def test_lists_are_filtered_walked_by_key_and_exported(cliente, cidade) -> None:
    nove = em_uso(cidade, 9)
    para = outro_setor(cidade, nove[0])
    async with cliente("gestor@demo.local") as c:
        feitas = [await pedida(c, [n], destino_id=para["destino_id"]) for n in nove]
        for t in feitas[:3]:
            await c.post(f"/api/transferencias/{t['id']}/cancelamento", json={})
        vistas: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            pagina = (
                await c.get("/api/transferencias", params={"setor": para["destino_id"], "limit": 4, "cursor": cursor})
            ).json()
            vistas += [t["numero"] for t in pagina["items"]]
            cursor = pagina["next"]
        assert vistas == sorted(set(vistas), reverse=True)
        assert {t["numero"] for t in feitas} <= set(vistas)
        canceladas = (
            await c.get("/api/transferencias", params={"estado": "cancelada", "setor": para["destino_id"]})
        ).json()
        assert {t["numero"] for t in canceladas["items"]} >= {t["numero"] for t in feitas[:3]}
        assert {t["estado"] for t in canceladas["items"]} == {"cancelada"}
        do_bem = (await c.get("/api/transferencias", params={"bem": nove[4]})).json()["items"]
        assert feitas[4]["numero"] in {t["numero"] for t in do_bem}
        for errado in ("x", "W10", feitas[0]["id"]):
            assert (await c.get("/api/transferencias", params={"cursor": errado})).status_code == 422
        texto = (await c.get("/api/transferencias.csv", params={"bem": nove[4]})).content.decode("utf-8-sig")
        linhas = list(csv.DictReader(io.StringIO(texto), delimiter=";"))
        assert str(feitas[4]["numero"]) in {linha["numero"] for linha in linhas}
        assert {"origem", "destino", "estado", "motivo", "bens"} <= linhas[0].keys()
    assert um(cidade, "select count(*) from evento where acao = 'exportar_movimentacoes'") == 1


@pytest.mark.parametrize("dono", [True, False], ids=["of their own", "of somebody else"])
async def test_a_responsavel_walks_only_their_setores_also_by_a_filter(cliente, cidade, dono) -> None:
    setor = um(cidade, f"select id::text from setor where id {'in' if dono else 'not in'} {OWN} limit 1")
    async with cliente("responsavel@demo.local") as c:
        r = await c.get("/api/transferencias", params={"setor": setor})
        assert r.status_code == 200
        assert dono or r.json()["items"] == []
