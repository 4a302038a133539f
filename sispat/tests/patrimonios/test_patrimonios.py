"""Assets through the API: found, registered, corrected, handed over; every rule of the issue a test."""

import asyncio
import json

import psycopg
import pytest


async def escolhas(c) -> dict[str, str]:
    """A valid place and custody for a new asset."""
    local = (await c.get("/api/locais")).json()[0]
    agente = (await c.get("/api/agentes", params={"setor": local["setor_id"]})).json()[0]
    classe = (await c.get("/api/classes")).json()[0]
    return {
        "setor_id": local["setor_id"],
        "local_id": local["id"],
        "agente_id": agente["id"],
        "classe_id": classe["id"],
    }


async def novo(c, **outros: object) -> dict[str, object]:
    return {
        "descricao": "Mesa de reunião",
        "valor": "1234.56",
        "data_aquisicao": "2026-01-31",
        **await escolhas(c),
        **outros,
    }


async def test_create_read_back_and_history(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/patrimonios", json=await novo(c, fornecedor_doc="11.222.333/0001-81"))
        assert r.status_code == 201, r.text
        bem = r.json()
        assert bem["numero"] == 301  # the demo city has 300
        assert bem["valor"] == "1234.56"
        assert bem["data_disponivel"] == "2026-01-31"
        assert bem["fornecedor_doc"] == "11222333000181"
        lido = await c.get(r.headers["location"])
        assert lido.json() == bem
        historico = (await c.get(f"{r.headers['location']}/historico")).json()
        assert [(e["acao"], e["ator"] != "sistema") for e in historico] == [("criar", True)]


async def test_n_equal_assets_get_consecutive_numbers(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/patrimonios", json=await novo(c, quantidade=12))
        assert r.headers["x-numeros"] == "301-312"
        achados = (await c.get("/api/patrimonios", params={"sort": "-numero", "limit": 12})).json()["items"]
        assert [b["numero"] for b in achados] == list(range(312, 300, -1))


async def test_fifty_creates_at_once_get_fifty_consecutive_numbers(cliente) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        corpo = await novo(c)
        respostas = await asyncio.gather(*(c.post("/api/patrimonios", json=corpo) for _ in range(50)))
        assert {r.status_code for r in respostas} == {201}
        assert sorted(r.json()["numero"] for r in respostas) == list(range(301, 351))


async def test_a_failed_create_takes_no_number(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        meu = (await escolhas(c))["setor_id"]
        outro_local = next(x for x in (await c.get("/api/locais")).json() if x["setor_id"] != meu)
        r = await c.post("/api/patrimonios", json=await novo(c, local_id=outro_local["id"]))
        assert r.status_code == 422
        assert r.json()["errors"] == [{"field": "local_id", "message": "O local escolhido não pertence a este setor."}]
        assert (await c.post("/api/patrimonios", json=await novo(c))).json()["numero"] == 301


@pytest.mark.parametrize(
    ("campo", "valor", "diz"),
    [
        ("descricao", "", "Preencha"),
        ("descricao", "ab", "pelo menos 3"),
        ("descricao", "x" * 501, "no máximo 500"),
        ("descricao", "com \x00 nulo", "NUL"),
        ("descricao", "perdido \ufffd no caminho", "UTF-8"),
        ("descricao", "sino \x07", "controle"),
        ("valor", "-1", "mínimo é 0"),
        ("valor", "NaN", "ponto decimal"),
        ("valor", "1e30", "ponto decimal"),
        ("valor", "9" * 13, "algarismos"),
        ("valor", "1.005", "casas decimais"),
        ("valor", "1.234,56", "ponto decimal"),
        ("valor", "1_000", "ponto decimal"),
        ("valor", "１２", "ponto decimal"),
        ("valor", "mil", "1234.56"),
        ("quantidade", "1_0", "número inteiro"),
        ("data_aquisicao", "31/01/2026", "2026-01-31"),
        ("data_aquisicao", "1500-01-01", "1900"),
        ("data_disponivel", "2025-12-31", "posterior"),
        ("classe_id", "nada", "Escolha"),
        ("classe_id", "00000000-0000-4000-8000-000000000000", "não existe"),
        ("agente_id", "00000000-0000-4000-8000-000000000000", "não existe"),
        ("setor_id", "00000000-0000-4000-8000-000000000000", "não existe"),
        ("conservacao", "novinho", "opções"),
        ("fornecedor_doc", "11.222.333/0001-82", "dígitos"),
        ("quantidade", 0, "mínimo é 1"),
        ("quantidade", 501, "máximo é 500"),
        ("numero", 7, "desconhecido"),
    ],
)
async def test_bad_input_names_the_field_and_stores_nothing(cliente, cidade, campo, valor, diz) -> None:
    async with cliente("gestor@demo.local") as c:
        corpo = json.dumps(await novo(c, **{campo: valor}))
        r = await c.post("/api/patrimonios", content=corpo, headers={"Content-Type": "application/json"})
        assert r.status_code == 422, r.text
        erros = {e["field"]: e["message"] for e in r.json()["errors"]}
        assert diz in erros[campo], erros
    with psycopg.connect(cidade.conninfo) as conn:
        assert conn.execute("select count(*) from patrimonio").fetchone() == (300,)


async def test_script_bearing_text_is_text(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        r = await c.post("/api/patrimonios", json=await novo(c, descricao='<script>alert("1")</script> \\ "aspas"'))
        assert r.json()["descricao"] == '<script>alert("1")</script> \\ "aspas"'


async def test_invalid_json_and_invalid_utf8_are_named(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        for corpo in (b"{", b'{"descricao": "\xff"}', b"[]", b""):
            r = await c.post("/api/patrimonios", content=corpo, headers={"Content-Type": "application/json"})
            assert r.status_code == 422, (corpo, r.text)
            assert r.json()["errors"]


async def test_a_body_over_the_limit_is_413(cliente) -> None:
    async with cliente("gestor@demo.local", body_limit=20_000) as c:
        r = await c.post("/api/patrimonios", json=await novo(c, observacao="x" * 30_000))
        assert (r.status_code, r.json()["codigo"]) == (413, "grande-demais")

        async def aos_poucos():
            for _ in range(10):
                yield b" " * 3000

        r = await c.post("/api/patrimonios", content=aos_poucos(), headers={"Content-Type": "application/json"})
        assert r.status_code == 413


async def test_two_people_saving_the_same_version_exactly_one_wins(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        criado = await c.post("/api/patrimonios", json=await novo(c))
        url = criado.headers["location"]
        etag = (await c.get(url)).headers["etag"]
        edicao = {
            "descricao": "Mesa A",
            "valor": "1.00",
            "data_aquisicao": "2026-01-31",
            "classe_id": criado.json()["classe"]["id"],
        }
        respostas = await asyncio.gather(
            *(c.put(url, json={**edicao, "descricao": f"Mesa {x}"}, headers={"If-Match": etag}) for x in "ABCDEFGH")
        )
        assert sorted(r.status_code for r in respostas) == [200] + [412] * 7
        venceu = next(r for r in respostas if r.status_code == 200).json()
        perdeu = next(r for r in respostas if r.status_code == 412).json()
        assert perdeu["codigo"] == "versao-desatualizada"
        assert perdeu["current"]["descricao"] == venceu["descricao"]
        assert perdeu["sent"]["descricao"].startswith("Mesa ")
        assert len((await c.get(f"{url}/historico")).json()) == 2


async def test_an_edit_without_if_match_is_refused(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        criado = await c.post("/api/patrimonios", json=await novo(c))
        r = await c.put(
            criado.headers["location"],
            json={
                "descricao": "x" * 5,
                "valor": 1,
                "data_aquisicao": "2026-01-31",
                "classe_id": criado.json()["classe"]["id"],
            },
        )
        assert (r.status_code, r.json()["code"]) == (428, "versao-necessaria")
        assert "If-Match" in r.json()["detail"]


async def test_change_of_custody_moves_the_asset_and_is_audited(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        criado = await c.post("/api/patrimonios", json=await novo(c))
        url = criado.headers["location"]
        destino = next(x for x in (await c.get("/api/locais")).json() if x["setor_id"] != criado.json()["setor"]["id"])
        agente = (await c.get("/api/agentes", params={"setor": destino["setor_id"]})).json()[0]
        carga = {"setor_id": destino["setor_id"], "local_id": destino["id"], "agente_id": agente["id"]}
        r = await c.put(f"{url}/carga", json=carga, headers={"If-Match": '"1"'})
        assert r.json()["agente"]["nome"] == agente["nome"]
        assert r.json()["versao"] == 2
        evento = (await c.get(f"{url}/historico")).json()[0]
        assert evento["acao"] == "trocar_carga"
        assert evento["depois"]["agente_id"] == agente["id"]


async def test_the_same_idempotency_key_creates_once(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        corpo = await novo(c)
        chave = {"Idempotency-Key": "formulario-1"}
        respostas = await asyncio.gather(*(c.post("/api/patrimonios", json=corpo, headers=chave) for _ in range(8)))
        assert {r.status_code for r in respostas} == {201}
        assert {r.text for r in respostas} == {respostas[0].text}
        assert len({r.headers["location"] for r in respostas}) == 1
        outro = await c.post("/api/patrimonios", json={**corpo, "descricao": "Outra mesa"}, headers=chave)
        assert (outro.status_code, outro.json()["codigo"]) == (422, "chave-reutilizada")
        assert (await c.post("/api/patrimonios", json=corpo)).json()["numero"] == 302


async def test_a_key_used_for_a_refused_request_can_be_used_again(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        chave = {"Idempotency-Key": "k"}
        assert (await c.post("/api/patrimonios", json=await novo(c, valor="-1"), headers=chave)).status_code == 422
        assert (await c.post("/api/patrimonios", json=await novo(c), headers=chave)).status_code == 201


async def test_nobody_reaches_another_setors_asset_by_guessed_id(cliente) -> None:
    async with cliente("gestor@demo.local") as gestor, cliente("responsavel@demo.local") as c:
        meus = {s["id"] for s in (await c.get("/api/setores")).json()}
        assert meus
        todos = (await gestor.get("/api/patrimonios", params={"limit": 200})).json()["items"]
        alheio = next(b for b in todos if b["setor"]["id"] not in meus)
        for url in (f"/api/patrimonios/{alheio['id']}", f"/api/patrimonios/{alheio['id']}/historico"):
            assert (await c.get(url)).status_code == 404
        carga = {"setor_id": min(meus), "local_id": alheio["local"]["id"], "agente_id": alheio["agente"]["id"]}
        r = await c.put(f"/api/patrimonios/{alheio['id']}/carga", json=carga, headers={"If-Match": '"1"'})
        assert r.status_code == 404
        vistos = (await c.get("/api/patrimonios", params={"limit": 200})).json()["items"]
        assert vistos
        assert {b["setor"]["id"] for b in vistos} <= meus
        nada = await c.get("/api/patrimonios", params={"setor": alheio["setor"]["id"]})
        assert nada.json()["items"] == []
        csv = (await c.get("/api/patrimonios.csv")).text
        assert alheio["setor"]["nome"] not in csv


async def test_roles_are_enforced_not_only_shown(cliente) -> None:
    async with cliente("gestor@demo.local") as gestor:
        corpo = await novo(gestor)
        classe = {"conta": "9.9", "nome": "X", "vida_util_meses": 12, "residual_pct": 0}
        assert (await gestor.post("/api/classes", json=classe)).status_code == 403
        for email in ("consulta@demo.local", "responsavel@demo.local"):
            async with cliente(email) as c:
                r = await c.post("/api/patrimonios", json=corpo)
                assert (r.status_code, r.json()["codigo"]) == (403, "sem-permissao")
                assert (await c.post("/api/setores", json={"codigo": "X", "nome": "X"})).status_code == 403
        async with cliente("responsavel@demo.local") as c:
            assert (await c.get("/api/auditoria")).status_code == 403


async def test_pages_by_key_meet_every_asset_once_in_both_directions(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        for sort in (
            "numero",
            "-numero",
            "descricao",
            "-descricao",
            "valor",
            "-valor",
            "data_aquisicao",
            "-data_aquisicao",
        ):
            para_frente: list[int] = []
            paginas = []
            params = {"sort": sort, "limit": 70}
            while True:
                p = (await c.get("/api/patrimonios", params=params)).json()
                paginas.append([b["numero"] for b in p["items"]])
                para_frente += paginas[-1]
                if p["next"] is None:
                    break
                params["cursor"] = p["next"]
            assert len(para_frente) == len(set(para_frente)) == 300
            for esperada in reversed(paginas[:-1]):
                p = (await c.get("/api/patrimonios", params={**params, "cursor": p["previous"]})).json()
                assert [b["numero"] for b in p["items"]] == esperada
            assert p["previous"] is None


async def test_a_foreign_page_key_is_named(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        chave = (await c.get("/api/patrimonios", params={"limit": 2})).json()["next"]
        for params in ({"cursor": "zzz"}, {"cursor": chave, "sort": "valor"}, {"cursor": "bnVsbA"}):
            r = await c.get("/api/patrimonios", params=params)
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "cursor")


async def test_search_finds_by_number_and_by_beginnings_of_words_without_accents(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        await c.post(
            "/api/patrimonios", json=await novo(c, descricao="Aparador/Estação XPTO-77 giratório", marca="Móveis Ágil")
        )
        for q in ("xpto", "estacao GIRAT", "Estação xpto-77", "movei agil", "301"):
            itens = (await c.get("/api/patrimonios", params={"q": q, "limit": 200})).json()["items"]
            assert 301 in [b["numero"] for b in itens], q
        assert (await c.get("/api/patrimonios", params={"q": "%%% '"})).json()["items"] == []
        assert (await c.get("/api/patrimonios", params={"q": "xpto inexistente"})).json()["items"] == []


async def test_filters_combine(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        todos = (await c.get("/api/patrimonios", params={"limit": 200})).json()["items"]
        alvo = todos[0]
        params = {
            "setor": alvo["setor"]["id"],
            "classe": alvo["classe"]["id"],
            "situacao": alvo["situacao"],
            "local": "",
        }
        achados = (await c.get("/api/patrimonios", params={**params, "limit": 200})).json()["items"]
        assert alvo["id"] in [b["id"] for b in achados]
        assert all(b["setor"] == alvo["setor"] and b["classe"] == alvo["classe"] for b in achados)
        r = await c.get("/api/patrimonios", params={"situaçao": "em_uso"})
        assert r.status_code == 422


async def test_etag_and_304(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        lista = await c.get("/api/patrimonios")
        um = await c.get(f"/api/patrimonios/{lista.json()['items'][0]['id']}")
        for r in (lista, um):
            igual = await c.get(r.request.url, headers={"If-None-Match": f'"outro", {r.headers["etag"]}'})
            assert (igual.status_code, igual.content) == (304, b"")
            assert "private" in igual.headers["cache-control"]
            assert (await c.get(r.request.url, headers={"If-None-Match": '"outro"'})).status_code == 200
        assert lista.headers["content-encoding"] == "gzip"  # httpx2 accepts it


async def test_csv_has_every_match_and_defuses_formulas(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        await c.post("/api/patrimonios", json=await novo(c, descricao="=1+1;perigo", valor="1234.50"))
        r = await c.get("/api/patrimonios.csv")
        assert r.headers["content-disposition"] == 'attachment; filename="patrimonios.csv"'
        linhas = r.content.decode("utf-8-sig").splitlines()
        assert len(linhas) == 302
        assert '"\'=1+1;perigo"' in linhas[-1]
        assert "1234,50" in linhas[-1]


async def test_a_written_off_asset_no_longer_changes(cliente, cidade) -> None:
    async with cliente("gestor@demo.local") as c:
        criado = await c.post("/api/patrimonios", json=await novo(c))
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update patrimonio set situacao = 'baixado' where numero = 301")
        bem = criado.json()
        carga = {"setor_id": bem["setor"]["id"], "local_id": bem["local"]["id"], "agente_id": bem["agente"]["id"]}
        r = await c.put(f"{criado.headers['location']}/carga", json=carga, headers={"If-Match": '"1"'})
        assert r.json()["errors"][0]["field"] == "situacao"
