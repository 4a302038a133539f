"""Land and buildings: registered with a number, found, corrected, dedicated by an act, alienated as the law asks."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import psycopg
import pytest
from arquivos import jpeg

from esteio.postgres import Dsn
from sispat.imoveis.rules import REQUIRED, Ato, Destinacao, MotivoDaBaixaDeImovel, wrong_act

OWN = "(select setor_id from usuario_setor us join usuario u on u.id = us.usuario_id where u.papel = 'responsavel')"
LEI = {"ato": "lei", "numero_ato": "5.432/2026", "data": "2026-03-02", "motivo": "Aprovado pela Câmara"}
COMUM = {"data": "2026-03-02", "justificativa": "Sem uso há dez anos; interessa à cidade"}
TUDO: dict[str, Any] = {
    "lei": "5.432/2025", "data_lei": "2025-11-10", "processo": "2025/00123", "valor_avaliado": "350000.00", "laudo": "L-31",
    "destinatario": "Construtora Boa Vista Ltda.", "destinatario_doc": "11222333000181",
}  # fmt: skip


def linha(cidade: Dsn, sql: str, *values: object) -> Any:
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute(sql, values).fetchone()
    return row if row is None or len(row) > 1 else row[0]


def dados(cidade: Dsn, onde: str = "true", **mais: object) -> dict[str, Any]:
    """What is sent to register an imóvel, of a setor where `onde` holds."""
    setor, agente = linha(
        cidade,
        f"select s.id::text, min(a.id::text) from setor s join agente a on a.setor_id = s.id where {onde} group by 1"
        " order by 1 limit 1",
    )
    return {
        "nome": "Creche Sol Nascente", "logradouro": "Rua das Acácias", "valor_terreno": "900000.00",
        "valor_edificacao": "1250000.00", "data_aquisicao": "2019-05-20", "setor_id": setor, "agente_id": agente,
        "destinacao": "uso_especial", **mais,
    }  # fmt: skip


async def criado(c: Any, cidade: Dsn, **mais: object) -> dict[str, Any]:
    r = await c.post("/api/imoveis", json=dados(cidade, **mais))
    assert r.status_code == 201, r.text
    return dict(r.json())


async def test_an_imovel_gets_the_next_number_once_however_often_it_is_sent(cliente, cidade) -> None:
    antes = linha(cidade, "select ultimo from numeracao where escopo = 'imovel'")
    async with cliente("gestor@demo.local") as c:
        corpo, chave = dados(cidade), {"Idempotency-Key": "um-imovel"}
        dois = await asyncio.gather(*(c.post("/api/imoveis", json=corpo, headers=chave) for _ in range(2)))
        assert {r.status_code for r in dois} == {201}
        assert {r.json()["numero"] for r in dois} == {antes + 1}
        assert dois[0].json()["valor"] == "2150000.00", "land and building together"
        errado = await c.post("/api/imoveis", json={**corpo, "agente_id": corpo["setor_id"]})
        assert (errado.status_code, errado.json()["errors"][0]["field"]) == (422, "agente_id")
        assert (await criado(c, cidade))["numero"] == antes + 2, "what failed gave its number back"
    feitos = linha(
        cidade, "select count(*) from evento where entidade = 'imovel' and acao = 'criar' and requisicao <> 'demo'"
    )
    assert feitos == 2


async def test_what_an_imovel_cannot_be_is_said_of_its_field(cliente, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        for errado, campo in (
            ({"latitude": "-23.55"}, "longitude"),
            ({"latitude": "-46.63", "longitude": "-23.55"}, "latitude"),
            ({"latitude": "48.85", "longitude": "2.35"}, "latitude"),
            ({"tipo": "territorial"}, "tipo"),
            ({"valor_terreno": "-1"}, "valor_terreno"),
            ({"area_terreno": "1.234,5"}, "area_terreno"),
            ({"cep": "123"}, "cep"),
            ({"destinacao": "nenhuma"}, "destinacao"),
        ):
            r = await c.post("/api/imoveis", json={**dados(cidade), **errado})
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, campo), r.text
            assert ("trocadas" in r.text) == (errado.get("latitude") == "-46.63")


async def test_the_list_is_searched_filtered_sorted_added_up_and_walked(cliente, navegar, cidade) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("delete from imovel_baixa; delete from imovel_destinacao; delete from imovel")
    async with cliente("gestor@demo.local", limit_write=None) as c:
        for n, (nome, valor) in enumerate(
            (("Praça da Matriz", "10.00"), ("Escola Álvares", "30.00"), ("Posto Central", "20.00"))
        ):
            await criado(
                c, cidade, nome=nome, valor_terreno=valor, valor_edificacao="0.00", matricula=f"45.67{n}",
                destinacao="uso_comum" if n == 0 else "dominical",
            )  # fmt: skip

        async def nomes(**pedido: object) -> list[str]:
            r = await c.get("/api/imoveis", params=pedido)
            assert r.status_code == 200, r.text
            return [i["nome"] for i in r.json()["items"]]

        assert await nomes(q="escola alvares") == ["Escola Álvares"]
        assert await nomes(q="45.671") == ["Escola Álvares"] == await nomes(q="45671"), (
            "a matrícula with or without its dot"
        )
        assert await nomes(destinacao="dominical", sort="-valor") == ["Escola Álvares", "Posto Central"]
        assert await nomes(destinacao="uso_comum", estado="baixado") == []
        assert await nomes(q="!!!") == []
        for ordem, esperado in (("nome", "EPP"), ("-nome", "PPE"), ("valor", "PPE"), ("numero", "PEP")):
            vistos, cursor = [], ""
            while True:
                r = (await c.get("/api/imoveis", params={"sort": ordem, "limit": 1, "cursor": cursor})).json()
                vistos += [i["nome"][0] for i in r["items"]]
                cursor = r["next"]
                if cursor is None:
                    break
            assert "".join(vistos) == esperado, ordem
        alheia = (await c.get("/api/imoveis", params={"sort": "nome", "limit": 1})).json()["next"]
        r = await c.get("/api/imoveis", params={"sort": "valor", "cursor": alheia})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "cursor")
        texto = (await c.get("/api/imoveis.csv", params={"q": "praça"})).content.decode("utf-8-sig")
        (um,) = csv.DictReader(io.StringIO(texto), delimiter=";")
        assert (um["nome"], um["valor_terreno"], um["destinacao"]) == ("Praça da Matriz", "10,00", "uso_comum")
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/imoveis", destinacao="dominical")
        assert "2 registros · Valor do terreno: R$ 50,00 · Valor da edificação: R$ 0,00" in tela.texto
        assert "Nada corresponde aos filtros" in (await pessoa.ver("/imoveis", q="xyzzy")).texto
    assert linha(cidade, "select count(*) from evento where acao = 'exportar_imoveis'") == 1


async def test_of_two_who_save_one_wins_and_the_other_sees_both(cliente, navegar, cidade) -> None:
    async with cliente("gestor@demo.local") as c, navegar("gestor") as pessoa:
        um = await criado(c, cidade)
        caminho = f"/imoveis/{um['id']}/editar"
        formulario = (await pessoa.ver(caminho)).formulario(caminho)
        r = await c.patch(f"/api/imoveis/{um['id']}", json={"nome": "Creche Nova"}, headers={"If-Match": "1"})
        assert (r.status_code, r.json()["nome"], r.json()["destinacao"]) == (200, "Creche Nova", "uso_especial")
        r = await c.patch(f"/api/imoveis/{um['id']}", json={"nome": "Outra"}, headers={"If-Match": "1"})
        assert (r.status_code, r.json()["current"]["nome"]) == (412, "Creche Nova")
        tela = await pessoa.mandar(formulario, uso="Creche municipal")
        assert (tela.estado, "As duas versões" in tela.texto) == (409, True)
        assert tela.formulario(caminho).valores["nome"] == "Creche Nova", "what the other changed is kept"
        salvo = await pessoa.mandar(tela.formulario(caminho))
        assert "Alterações gravadas" in salvo.texto
        assert "Creche municipal" in salvo.texto
        historia = (await c.get(f"/api/imoveis/{um['id']}/historico")).json()
        assert [e["acao"] for e in historia] == ["editar", "editar", "criar"]


async def test_the_form_looks_up_the_address_and_the_card_leads_to_a_map(navegar, cidade, viacep) -> None:
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        tela = await pessoa.ver("/imoveis/novo")
        corpo = dados(cidade)
        digitado = {n: corpo[n] for n in ("nome", "setor_id", "agente_id")} | {
            "cep": "01001-000", "valor_terreno": "900.000,00", "valor_edificacao": "0,00", "data_aquisicao": "20/05/2019",
            "latitude": "-23,550520", "longitude": "-46,633308", "area_terreno": "1.200,50", "logradouro": "",
        }  # fmt: skip
        for _vez in range(30):  # on a busy machine its answer may come after the 0.9 s that the form waits for it
            achado = await pessoa.mandar(tela.formulario("/imoveis/novo"), **digitado, _acao="cep")
            valores = achado.formulario("/imoveis/novo").valores
            if valores["logradouro"]:
                break
        assert (valores["logradouro"], valores["nome"]) == ("Praça da Sé", "Creche Sol Nascente")
        salvo = await pessoa.mandar(achado.formulario("/imoveis/novo"))
        assert salvo.titulos == ["Creche Sol Nascente"], salvo.texto
        assert "1.200,50" in salvo.texto
        (mapa,) = [link for link in salvo.links if "openstreetmap" in link]
        assert "mlat=-23.550520&mlon=-46.633308" in mapa
        longe = await pessoa.mandar((await pessoa.ver("/imoveis/novo")).formulario("/imoveis/novo"),
                                    **{**digitado, "data_aquisicao": "01/01/2099"})  # fmt: skip
        assert "no futuro. É isso mesmo?" in longe.texto


async def test_a_use_changes_by_an_act_and_only_by_law_where_the_law_asks_for_one(cliente, cidade) -> None:
    async with cliente("gestor@demo.local") as c:
        um = await criado(c, cidade, destinacao="uso_comum")
        raiz = f"/api/imoveis/{um['id']}"
        for ato, para, campo in (
            ("decreto", "dominical", "ato"),
            ("decreto", "uso_especial", "ato"),
            ("lei", "uso_comum", "para"),
        ):
            r = await c.post(f"{raiz}/destinacao", json={**LEI, "ato": ato, "para": para})
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, campo), (ato, para, r.text)
        r = await c.post(f"{raiz}/destinacao", json={**LEI, "para": "dominical"})
        assert (r.status_code, r.json()["estado"], r.json()["imovel"]["numero"]) == (201, "desafetacao", um["numero"])
        r = await c.post(f"{raiz}/destinacao", json={**LEI, "para": "uso_especial", "ato": "decreto"})
        assert (r.status_code, r.json()["estado"]) == (201, "afetacao")
        assert (await c.get(raiz)).json()["destinacao"] == "uso_especial"
        r = await c.post(f"{raiz}/destinacao", json={**LEI, "para": "dominical", "data": "2099-01-01"})
        assert r.json()["errors"][0]["field"] == "data"
        itens = (await c.get("/api/destinacoes", params={"imovel": um["numero"]})).json()["items"]
        assert [(i["de"], i["para"]) for i in itens] == [("dominical", "uso_especial"), ("uso_comum", "dominical")]
        historia = (await c.get(f"{raiz}/historico")).json()
        assert [(e["acao"], e["depois"].get("destinacao")) for e in historia[:2]] == [
            ("destinar_imovel", "uso_especial"), ("destinar_imovel", "dominical"),
        ]  # fmt: skip


def _baixa(motivo: MotivoDaBaixaDeImovel) -> dict[str, Any]:
    return {**COMUM, "motivo": motivo, **{nome: TUDO[nome] for nome in REQUIRED[motivo]}}


async def test_only_a_dominical_of_the_city_is_alienated_with_all_that_its_motive_asks_for(cliente, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        for motivo in MotivoDaBaixaDeImovel:
            posse = "cessao" if motivo is MotivoDaBaixaDeImovel.DEVOLUCAO else "proprio"
            um = await criado(c, cidade, destinacao="dominical", posse=posse)
            raiz = f"/api/imoveis/{um['id']}"
            for falta in REQUIRED[motivo]:
                sem = {nome: valor for nome, valor in _baixa(motivo).items() if nome != falta}
                r = await c.post(f"{raiz}/baixa", json=sem)
                assert (r.status_code, [e["field"] for e in r.json()["errors"]]) == (422, [falta]), (motivo, r.text)
            r = await c.post(f"{raiz}/baixa", json=_baixa(motivo))
            assert (r.status_code, r.json()["estado"]) == (201, "efetiva"), (motivo, r.text)
            r = await c.post(f"{raiz}/baixa", json=_baixa(motivo))
            assert (r.status_code, "está baixado" in r.text) == (422, True)
        for mais in ({"destinacao": "uso_especial"}, {"destinacao": "dominical", "posse": "comodato"}):
            um = await criado(c, cidade, **mais)
            r = await c.post(f"/api/imoveis/{um['id']}/baixa", json=_baixa(MotivoDaBaixaDeImovel.VENDA))
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "motivo"), mais
        r = await c.patch(f"/api/imoveis/{um['id']}", json={"posse": "proprio"}, headers={"If-Match": "1"})
        antes_da_lei = {**_baixa(MotivoDaBaixaDeImovel.VENDA), "data_lei": "2026-03-03"}
        r = await c.post(f"/api/imoveis/{um['id']}/baixa", json=antes_da_lei)
        assert r.json()["errors"][0]["field"] == "data_lei"


def test_the_database_asks_for_the_same(cidade) -> None:
    """`rules` and the constraints of the tables say one thing."""
    with psycopg.connect(cidade.conninfo) as conn:
        usuario, setor, agente = (
            conn.execute(
                "select u.id, a.setor_id, a.id from usuario u, agente a where u.papel = 'gestor' limit 1"
            ).fetchone()
            or (None,) * 3
        )
        (imovel,) = conn.execute(
            """insert into imovel (numero, nome, tipo, destinacao, valor_terreno, valor_edificacao, forma_aquisicao,
               data_aquisicao, setor_id, agente_id, conservacao) values (99999, 'Lote', 'territorial', 'dominical', 1, 0,
               'compra', '2020-01-01', %s, %s, 'bom') returning id""",
            [setor, agente],
        ).fetchone() or (None,)

        def inserir(tabela: str, linha_: dict[str, Any]) -> None:
            todos = {"imovel_id": imovel, "setor_id": setor, "registrada_por": usuario, **linha_}
            marcas = ", ".join(f"%({n})s" for n in todos)
            conn.execute(f"insert into {tabela} ({', '.join(todos)}) values ({marcas})", todos)

        guardado = {"valor_terreno": 1, "valor_edificacao": 0, "destinacao": "dominical", "posse": "proprio"}
        for motivo in MotivoDaBaixaDeImovel:
            alheio = {"posse": "cessao"} if motivo is MotivoDaBaixaDeImovel.DEVOLUCAO else {}
            base = {**guardado, **_baixa(motivo), **alheio}
            for falta in REQUIRED[motivo]:
                sem = {n: v for n, v in base.items() if n != falta}
                with (
                    pytest.raises(psycopg.errors.CheckViolation, match=f"imovel_baixa_{motivo}_exige"),
                    conn.transaction(),
                ):
                    inserir("imovel_baixa", sem)
            with conn.transaction(force_rollback=True):
                inserir("imovel_baixa", base)
        venda = {**guardado, **_baixa(MotivoDaBaixaDeImovel.VENDA)}
        for errado in ({"destinacao": "uso_comum"}, {"posse": "cessao"}):
            with pytest.raises(psycopg.errors.CheckViolation, match="so_dominical"), conn.transaction():
                inserir("imovel_baixa", {**venda, **errado})
        for de in Destinacao:
            for para in set(Destinacao) - {de}:
                for ato in Ato:
                    mudanca = {"de": de, "para": para, **LEI, "ato": ato}
                    if wrong_act(de, para, ato):
                        with pytest.raises(psycopg.errors.CheckViolation, match="por_lei"), conn.transaction():
                            inserir("imovel_destinacao", mudanca)
                    else:
                        with conn.transaction(force_rollback=True):
                            inserir("imovel_destinacao", mudanca)
        for coluna in ("latitude = -23.5", "latitude = 48.8, longitude = 2.3", "valor_edificacao = 1"):
            with pytest.raises(psycopg.errors.CheckViolation), conn.transaction():
                conn.execute(f"update imovel set {coluna} where id = %s", [imovel])


async def test_an_administrator_takes_a_write_off_back(navegar, cliente, cidade) -> None:
    async with (
        cliente("gestor@demo.local") as gestor,
        cliente("admin@demo.local") as admin,
        navegar("gestor") as pessoa,
    ):
        um = await criado(gestor, cidade, destinacao="dominical", nome="Lote da avenida")
        motivos = await pessoa.ver(f"/imoveis/{um['id']}/baixar")
        assert f"/imoveis/{um['id']}/baixar/venda" in motivos.links
        assert f"/imoveis/{um['id']}/baixar/devolucao" not in motivos.links, (
            "it is the city's: there is nobody to return it to"
        )
        caminho = f"/imoveis/{um['id']}/baixar/venda"
        formulario = (await pessoa.ver(caminho)).formulario(caminho)
        exigidos = REQUIRED[MotivoDaBaixaDeImovel.VENDA]
        assert formulario.visiveis - {""} == {"data", "justificativa", "comissao_id", *exigidos}
        recusada = await pessoa.mandar(formulario, justificativa="Sem uso há dez anos")
        assert (recusada.estado, "exige este dado" in recusada.texto) == (422, True)
        preenchido = {**TUDO, "data_lei": "10/11/2025", "valor_avaliado": "350.000,00"}
        feita = await pessoa.mandar(recusada.formulario(caminho), **preenchido)
        assert "Baixa registrada." in feita.texto, feita.texto
        baixa = (await gestor.get("/api/baixas-de-imoveis", params={"imovel": um["numero"]})).json()["items"][0]
        estorno = f"/api/baixas-de-imoveis/{baixa['id']}/estorno"
        assert (await gestor.post(estorno, json={"estorno": "A escritura não saiu"})).status_code == 403
        r = await admin.post(estorno, json={"estorno": "A escritura não saiu"})
        assert (r.status_code, r.json()["estado"]) == (200, "estornada"), r.text
        assert (await admin.post(estorno, json={"estorno": "A escritura não saiu"})).status_code == 422
        assert (await gestor.get(f"/api/imoveis/{um['id']}")).json()["estado"] == "ativo"
        r = await gestor.post(f"/api/imoveis/{um['id']}/baixa", json=_baixa(MotivoDaBaixaDeImovel.VENDA))
        assert r.status_code == 201, "one that was taken back may be written off again"


async def test_nobody_sees_an_imovel_of_another_setor_and_who_has_one_is_not_retired(cliente, navegar, cidade) -> None:
    async with cliente("gestor@demo.local") as c, cliente("responsavel@demo.local") as r:
        meu = await criado(c, cidade, onde=f"s.id in {OWN}", nome="Meu prédio")
        alheio = await criado(c, cidade, onde=f"s.id not in {OWN}", nome="Prédio alheio")
        vistos = [i["nome"] for i in (await r.get("/api/imoveis", params={"limit": 200})).json()["items"]]
        assert "Meu prédio" in vistos
        assert "Prédio alheio" not in vistos
        assert (await r.get(f"/api/imoveis/{meu['id']}")).status_code == 200
        assert (await r.get(f"/api/imoveis/{alheio['id']}")).status_code == 404
        assert (await r.get("/api/imoveis", params={"setor": alheio["setor"]["id"]})).json()["items"] == []
        for de, vistas in ((meu, 200), (alheio, 404)):
            foto = {
                "data": {"entidade": "imovel", "entidade_id": de["id"]},
                "files": [("arquivo", ("frente.jpg", jpeg()))],
            }
            feita = await c.post("/api/uploads", **foto)
            assert feita.status_code == 201, feita.text
            assert (await r.get(f"/api/uploads/{feita.json()['items'][0]['id']}")).status_code == vistas

        novo = {"setor_id": meu["setor"]["id"], "nome": "Quem sai", "matricula": "SAI-1"}
        sai = (await c.post("/api/agentes", json=novo)).json()
        r2 = await c.patch(f"/api/imoveis/{meu['id']}", json={"agente_id": sai["id"]}, headers={"If-Match": "1"})
        assert r2.status_code == 200, r2.text
        r2 = await c.patch(f"/api/agentes/{sai['id']}", json={"ativo": False}, headers={"If-Match": "1"})
        assert (r2.status_code, "ainda tem imóveis" in r2.text) == (422, True)
        saida = {"sucessor_id": alheio["agente"]["id"], "motivo": "Aposentadoria"}
        r2 = await c.post(f"/api/agentes/{sai['id']}/saida", json=saida)
        assert (r2.status_code, r2.json()) == (200, {"bens": 0, "imoveis": 1}), r2.text
        assert (await c.get(f"/api/imoveis/{meu['id']}")).json()["agente"]["id"] == alheio["agente"]["id"]
        r2 = await c.patch(f"/api/imoveis/{meu['id']}", json={"agente_id": sai["id"]}, headers={"If-Match": "3"})
        assert (r2.status_code, "não está mais em uso" in r2.text) == (422, True)
