"""The yearly count: frozen, read, decided one by one, closed for good."""

from __future__ import annotations

import io
import re
from uuid import UUID, uuid4

import psycopg
import pypdfium2
import pytest
from contagem import OWN, abrir, comecar, leitura, local_com_bens, mudar, um

from sispat.inventario.actions.counting import meant
from sispat.inventario.rules import Decisao, EstadoDoInventario, EstadoDoItem, decisions
from sispat.kernel.public_codes import code_of
from sispat.kernel.situacoes import Situacao


async def test_what_is_expected_is_frozen_when_it_is_opened(cliente, cidade) -> None:
    local, numeros = local_com_bens(cidade)
    async with cliente("gestor@demo.local", limit_write=None) as c:
        for escopo, coluna in (
            ("local", "local_id"),
            ("setor", "setor_id"),
            ("agente", "agente_id"),
            ("classe", "classe_id"),
        ):
            alvo = um(cidade, f"select {coluna}::text from patrimonio where numero = %s", numeros[0])
            feito = await abrir(c, cidade, escopo, **{coluna: alvo})
            esperados = um(
                cidade, f"select count(*) from patrimonio where {coluna} = %s and situacao <> 'baixado'", alvo
            )
            assert (feito["esperados"], feito["estado"], feito["portaria"]) == (esperados, "aberto", "17/2026")
        toda = await abrir(c, cidade, "cidade")
        assert toda["esperados"] == um(cidade, "select count(*) from patrimonio where situacao <> 'baixado'")
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update patrimonio set descricao = 'Outra coisa' where numero = %s", [numeros[0]])
        r = await c.get("/api/inventario-itens", params={"inventario": toda["numero"], "bem": numeros[0]})
        (item,) = r.json()["items"]
        assert (item["descricao"] != "Outra coisa", item["local"]["id"], item["estado"]) == (
            True,
            local,
            "nao_verificado",
        )
        for errado, campo in (
            ({"escopo": "local"}, "local_id"),
            ({"escopo": "cidade", "local_id": local}, "local_id"),
            ({"escopo": "local", "local_id": str(uuid4())}, "local_id"),
            ({"escopo": "cidade", "comissao_id": str(uuid4())}, "comissao_id"),
        ):
            comissao = um(cidade, "select id::text from comissao limit 1")
            r = await c.post("/api/inventarios", json={"comissao_id": comissao, "data_base": "2026-12-31", **errado})
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, campo), r.text


async def test_a_count_goes_from_open_to_closed_and_nothing_is_left_open(cliente, navegar, cidade) -> None:
    """One missing, one elsewhere, one without a plate: read, decided, closed; then the database refuses all."""
    local, numeros = local_com_bens(cidade, 3)
    outro = um(cidade, f"select id::text from local where setor_id in {OWN} and id <> %s limit 1", local)
    async with cliente("gestor@demo.local", limit_write=None) as c:
        inventario = await comecar(c, cidade, local_id=local)
        raiz = f"/api/inventarios/{inventario['id']}"
        r = await mudar(c, inventario, "decidindo")
        assert (r.status_code, f"{numeros[0]:06}" in r.json()["detail"]) == (422, True), "unread, and it says which"
        assert (await mudar(c, inventario, "encerrado")).status_code == 422
        faltou, longe, *aqui = numeros
        lidas = [leitura(n, local_id=local) for n in aqui]
        lidas += [leitura(faltou, "nao_encontrado"), leitura(longe, local_id=outro, nota="Ao lado da janela")]
        lidas.append(leitura("", "sem_tombo", descricao="Ventilador de teto", local_id=local))
        r = await c.post(f"{raiz}/leituras", json={"leituras": lidas})
        assert [each["motivo"] for each in r.json()["items"]] == [""] * len(lidas), r.text
        progresso = (await c.get(f"{raiz}/progresso")).json()
        assert progresso == {
            "encontrado": len(aqui), "nao_encontrado": 1, "outro_local": 1, "sem_tombo": 1, "nao_verificado": 0,
            "sem_decisao": 3,
        }  # fmt: skip
        por_bem = {lida["codigo"]: each["item_id"] for lida, each in zip(lidas, r.json()["items"], strict=True)}
        manter = {"decisao": "manter", "justificativa": "Fica como está"}
        r = await c.post(f"/api/inventario-itens/{por_bem[str(faltou)]}/decisao", json=manter)
        assert (r.status_code, "em decisão" in r.json()["detail"]) == (422, True), "not while it is counted"
        assert (await mudar(c, inventario, "decidindo")).status_code == 200
        r = await c.post(f"{raiz}/leituras", json={"leituras": [leitura(faltou), lidas[0]]})
        nova, velha = r.json()["items"]
        assert ("em contagem" in nova["motivo"], velha["repetida"], velha["motivo"]) == (True, True, "")
        r = await mudar(c, inventario, "encerrado")
        assert (r.status_code, "3 divergências" in r.json()["detail"]) == (422, True), r.text

        r = await c.post(f"/api/inventario-itens/{por_bem[str(aqui[0])]}/decisao", json=manter)
        assert r.status_code == 422, "no divergence"
        decide = {"decisao": "nao_localizar", "justificativa": "Ninguém sabe dele"}
        r = await c.post(f"/api/inventario-itens/{por_bem[str(faltou)]}/decisao", json=decide)
        assert (r.status_code, r.json()["movimento"][:14]) == (200, "/localizacoes/"), r.text
        assert um(cidade, "select situacao from patrimonio where numero = %s", faltou) == "nao_localizado"
        r = await c.post(f"/api/inventario-itens/{por_bem[str(faltou)]}/decisao", json=decide)
        assert (r.status_code, "Já foi decidido" in r.text) == (422, True)
        decide = {"decisao": "transferir", "justificativa": "Passou para a outra sala"}
        r = await c.post(f"/api/inventario-itens/{por_bem[str(longe)]}/decisao", json=decide)
        assert (r.status_code, r.json()["movimento"][:16]) == (200, "/transferencias/"), r.text
        assert um(cidade, "select situacao from patrimonio where numero = %s", longe) == "em_transferencia"
    async with navegar("gestor") as pessoa:
        ficha = await pessoa.ver(f"/inventario-itens/{por_bem['']}")
        tela = await pessoa.ver(f"/inventario-itens/{por_bem['']}/regularizar")
        assert f"/inventario-itens/{por_bem['']}/regularizar" in ficha.links
        comissao, classe, agente = um(
            cidade, "select (select id::text from comissao limit 1), (select id::text from classe limit 1), agente_id::text"
            " from patrimonio where numero = %s", aqui[0],
        )  # fmt: skip
        forma = tela.formulario(f"/inventario-itens/{por_bem['']}/regularizar")
        assert forma.valores["descricao"] == "Ventilador de teto"
        feita = await pessoa.mandar(
            forma, encontrado_em="02/03/2026", avaliado_em="05/03/2026", valor_avaliado="99,90", laudo="L-7",
            comissao_id=comissao, classe_id=classe, agente_id=agente, local_id=local,
        )  # fmt: skip
        assert "Divergência decidida" in feita.texto, feita.texto
        passo = await pessoa.ver(f"/inventarios/{inventario['id']}/encerrar")
        fim = await pessoa.mandar(passo.formulario(f"/inventarios/{inventario['id']}/encerrar"))
        assert "Inventário encerrado" in fim.texto, fim.texto
    async with cliente("admin@demo.local") as c:
        assert (await mudar(c, inventario, "contando")).status_code == 422
    for sql in (
        "update inventario set observacao = 'x' where id = %s",
        "update inventario_item set nota = 'x' where inventario_id = %s",
        "delete from inventario_leitura where inventario_id = %s",
        "insert into inventario_leitura (id, inventario_id, item_id, resultado, lida_em, por)"
        " select gen_random_uuid(), inventario_id, id, 'encontrado', now(), (select id from usuario limit 1)"
        " from inventario_item where inventario_id = %s limit 1",
        "insert into inventario_item (inventario_id, esperado, descricao, valor, setor_id, estado)"
        " select id, false, 'x', 0, (select id from setor limit 1), 'sem_tombo' from inventario where id = %s",
    ):
        with psycopg.connect(cidade.conninfo) as conn, pytest.raises(psycopg.errors.RestrictViolation, match="closed"):
            conn.execute(sql, [inventario["id"]])
    acoes = um(cidade, "select array_agg(acao order by id) from evento where entidade_id = %s", inventario["id"])
    assert acoes == ["abrir_inventario", "iniciar_contagem", "concluir_contagem", "encerrar_inventario"]


async def test_of_two_phones_the_reading_made_last_counts_whichever_arrives_first(cliente, cidade) -> None:
    local, numeros = local_com_bens(cidade, 2)
    async with cliente("gestor@demo.local") as c, cliente("responsavel@demo.local") as outro:
        inventario = await comecar(c, cidade, local_id=local)
        raiz = f"/api/inventarios/{inventario['id']}/leituras"
        r = await c.post(raiz, json={"leituras": [leitura(numeros[0], "encontrado", 10)]})
        (primeira,) = r.json()["items"]
        assert (primeira["estado"], primeira["esperado"], primeira["plaqueta"]) == ("encontrado", True, numeros[0])
        r = await outro.post(raiz, json={"leituras": [leitura(numeros[0], "nao_encontrado", 5)]})
        assert r.json()["items"][0]["estado"] == "encontrado", "made before, arrived after"
        r = await outro.post(raiz, json={"leituras": [leitura(numeros[0], "nao_encontrado", 20)]})
        assert r.json()["items"][0]["estado"] == "nao_encontrado"
        item = (await c.get(f"/api/inventario-itens/{primeira['item_id']}")).json()
        assert (item["leituras"], item["contraditorio"], item["divergente"]) == (3, True, True)
        lidas = (await c.get(f"/api/inventario-itens/{primeira['item_id']}/leituras")).json()["items"]
        assert [each["resultado"] for each in lidas] == ["nao_encontrado", "encontrado", "nao_encontrado"]
        futuro = leitura(numeros[1]) | {"lida_em": "2090-01-01T00:00:00Z"}
        await c.post(raiz, json={"leituras": [futuro]})
        assert um(cidade, "select lida_em <= now() from inventario_leitura where id = %s", futuro["id"])


async def test_a_reading_is_refused_by_itself_and_says_why(cliente, cidade) -> None:
    local, numeros = local_com_bens(cidade, 2)
    alheio, codigo = um(
        cidade, f"select numero, id::text from patrimonio where setor_id not in {OWN} and situacao = 'em_uso' limit 1"
    )
    de_la = um(cidade, f"select id::text from local where setor_id not in {OWN} limit 1")
    async with cliente("gestor@demo.local") as gestor, cliente("responsavel@demo.local") as c:
        inventario = await comecar(gestor, cidade, local_id=local)
        raiz = f"/api/inventarios/{inventario['id']}/leituras"
        etiqueta = f"HTTPS://CIDADE.EXAMPLE/B/{code_of(UUID(codigo))}"
        lidas = [
            leitura(etiqueta, local_id=local),  # of another setor, and it stands here
            leitura("999999", "nao_encontrado"),
            leitura(alheio, "nao_encontrado"),
            leitura("", "encontrado"),
            leitura(numeros[0], local_id=de_la),
            leitura("7777777", local_id=local),
            leitura(numeros[1], "outro_local", conservacao="ruim"),
        ]
        itens = (await c.post(raiz, json={"leituras": lidas})).json()["items"]
        assert [bool(each["motivo"]) for each in itens] == [False, True, False, True, True, False, False]
        assert (itens[0]["esperado"], itens[0]["plaqueta"], itens[0]["descricao"]) == (False, alheio, ""), (
            "what it is called is not this person's to read"
        )
        assert itens[0]["item_id"] == itens[2]["item_id"]
        assert (itens[5]["estado"], itens[5]["descricao"]) == ("sem_tombo", "Plaqueta lida: 7777777")
        assert itens[6]["estado"] == "outro_local"
        assert (await c.get(f"/api/inventario-itens/{itens[0]['item_id']}")).status_code == 404
        assert (await gestor.get(f"/api/inventario-itens/{itens[0]['item_id']}")).json()["esperado"] is False


def test_what_is_read_or_typed_means_an_asset_or_nothing() -> None:
    id_ = uuid4()
    assert meant(f"https://x.y/b/{code_of(id_).lower()}") == id_
    assert [meant(each) for each in ("000123", " 12.345-6 ", "", "mesa", "9" * 19, "x/b/1")] == [123, 123456] + [
        None
    ] * 4


def test_what_may_be_decided_follows_from_what_was_read() -> None:
    """A divergence may always be kept as it is, what is none offers nothing, and only what is in use is moved or missed."""
    for estado in EstadoDoItem:
        for situacao in (*Situacao, None):
            if (estado is EstadoDoItem.SEM_TOMBO) != (situacao is None):
                continue
            for elsewhere in (False, True):
                open_ = decisions(estado, situacao, elsewhere=elsewhere)
                assert not open_ or Decisao.MANTER in open_
                moved = set(open_) & {Decisao.TRANSFERIR, Decisao.NAO_LOCALIZAR}
                assert not moved or situacao is Situacao.EM_USO
                plain = estado is EstadoDoItem.ENCONTRADO and situacao is not Situacao.NAO_LOCALIZADO
                assert bool(open_) == (estado is not EstadoDoItem.NAO_VERIFICADO and not plain), (estado, situacao)


async def test_the_page_that_counts_works_as_a_plain_form_and_twice_sent_it_is_one_reading(
    navegar, cliente, cidade
) -> None:
    local, numeros = local_com_bens(cidade, 2)
    async with cliente("gestor@demo.local") as c:
        inventario = await comecar(c, cidade, local_id=local)
    caminho = f"/inventarios/{inventario['id']}/contar"
    async with navegar("responsavel") as pessoa:
        tela = await pessoa.ver(caminho)
        assert "camera=(self)" in tela.cabecalhos["permissions-policy"]
        forma = tela.formulario(caminho)
        for _ in range(2):
            feita = await pessoa.mandar(forma, codigo=f"{numeros[0]:06}", resultado="encontrado", local_id=local)
            assert "Leitura guardada" in feita.texto, feita.texto
            assert f"{numeros[0]:06}" in feita.texto
        assert um(cidade, "select count(*) from inventario_leitura") == 1
        assert feita.formulario(caminho).valores["local_id"] == local, "still there for the next one"
        errada = await pessoa.mandar(
            tela.formulario(caminho), codigo="888888", resultado="nao_encontrado", _chave="outra"
        )
        assert (errada.estado, "Não há bem com a plaqueta" in errada.texto) == (422, True)
        sem_nada = await pessoa.mandar(tela.formulario(caminho), codigo="1", _chave="terceira")
        assert sem_nada.estado == 422, "no outcome was chosen"
    async with navegar("consulta") as pessoa:
        assert (await pessoa.http.get(caminho)).status_code == 403


async def test_a_photo_of_a_label_is_read_by_the_service_and_kept_with_the_item(cliente, cidade) -> None:
    local, numeros = local_com_bens(cidade, 2)
    async with cliente("gestor@demo.local", limit_write=None, limit_upload=None) as c:
        inventario = await comecar(c, cidade, local_id=local)
        folha = await c.get("/etiquetas/previa.png", params={"numeros": str(numeros[0]), "formato": "rolo-100x50"})
        assert folha.status_code == 200, folha.text
        foto = {"arquivo": ("etiqueta.png", folha.content)}
        r = await c.post("/api/inventarios/codigo", files=foto)
        assert r.status_code == 200, r.text
        bem = um(cidade, "select id from patrimonio where numero = %s", numeros[0])
        assert meant(r.json()["codigo"]) == bem
        r = await c.post(
            f"/api/inventarios/{inventario['id']}/leituras", json={"leituras": [leitura(r.json()["codigo"])]}
        )
        (item,) = r.json()["items"]
        for _ in range(2):
            r = await c.post(
                f"/api/inventario-itens/{item['item_id']}/fotos", files=foto, headers={"Idempotency-Key": "foto 1"}
            )
            assert r.status_code == 201, r.text
        assert um(cidade, "select count(*) from documento where entidade = 'inventario_item'") == 1
        r = await c.post(
            f"/inventarios/{inventario['id']}/contar", data={"resultado": "encontrado", "_chave": "k"}, files=foto
        )
        assert (r.status_code, "feito=leitura" in r.headers.get("location", "")) == (422, False), "attached already"


async def test_the_report_has_each_setor_with_its_items_and_who_signs(cliente, cidade) -> None:
    local, numeros = local_com_bens(cidade, 3)
    async with cliente("gestor@demo.local") as c:
        inventario = await comecar(c, cidade, local_id=local)
        await c.post(
            f"/api/inventarios/{inventario['id']}/leituras",
            json={"leituras": [leitura(numeros[0], "nao_encontrado"), leitura(numeros[1], local_id=local)]},
        )
        r = await c.get(f"/api/inventarios/{inventario['id']}/relatorio.pdf")
        assert (r.status_code, r.headers["content-type"]) == (200, "application/pdf"), r.text
        with pypdfium2.PdfDocument(io.BytesIO(r.content)) as pdf:
            texto = " ".join(page.get_textpage().get_text_bounded() for page in pdf)
        valor = um(cidade, "select sum(valor) from patrimonio where numero = any(%s)", numeros)
        assert f"{valor:,.2f}".translate(str.maketrans(",.", ".,")) in texto
        assert all(f"{n:06}" in texto for n in numeros)
        membros = um(cidade, "select membros from inventario")
        assert all(nome in re.sub(r"\s+", " ", texto) for nome in membros.splitlines())
        assert "Parcial" in texto
        r = await c.get(f"/api/inventarios/{inventario['id']}/relatorio.pdf", params={"setor": str(uuid4())})
        assert r.status_code == 422
        r = await c.get("/api/inventario-itens.csv", params={"inventario": inventario["numero"]})
        assert r.text.count("\r\n") == len(numeros) + 1
        r = await c.get("/api/inventario-itens", params={"inventario": inventario["numero"], "so": "sem_decisao"})
        assert [each["plaqueta"] for each in r.json()["items"]] == [numeros[0]]


async def test_a_responsavel_reads_of_a_whole_city_the_items_of_their_setores(cliente, cidade) -> None:
    async with cliente("gestor@demo.local") as c, cliente("responsavel@demo.local") as outro:
        toda = await abrir(c, cidade, "cidade")
        de_fora = um(cidade, f"select setor_id::text from patrimonio where setor_id not in {OWN} limit 1")
        alheio = await abrir(c, cidade, "setor", setor_id=de_fora)
        vistos = [each["id"] for each in (await outro.get("/api/inventarios")).json()["items"]]
        assert (toda["id"] in vistos, alheio["id"] in vistos) == (True, False)
        assert (await outro.get(f"/api/inventarios/{alheio['id']}")).status_code == 404
        itens = (await outro.get("/api/inventario-itens", params={"inventario": toda["numero"], "limit": 200})).json()
        meus = um(cidade, f"select count(*) from patrimonio where setor_id in {OWN} and situacao <> 'baixado'")
        assert len(itens["items"]) == meus
        r = await outro.post(
            "/api/inventarios", json={"escopo": "cidade", "data_base": "2026-12-31", "comissao_id": str(uuid4())}
        )
        assert r.status_code == 403
        assert {each["estado"] for each in (await c.get("/api/inventarios")).json()["items"]} == {
            EstadoDoInventario.ABERTO
        }


async def test_the_first_page_tells_who_counts_of_a_count_and_who_decides_of_its_decisions(
    cliente, navegar, cidade
) -> None:
    local, (numero, *outros) = local_com_bens(cidade)
    setor = um(cidade, "select s.nome from local l join setor s on s.id = l.setor_id where l.id = %s", local)
    fora = um(
        cidade,
        f"select l.id::text from local l join patrimonio p on p.local_id = l.id where l.setor_id not in {OWN} limit 1",
    )

    async def esperam(quem: str) -> str:
        async with navegar(quem) as pessoa:
            return (await pessoa.ver("/")).texto

    async with cliente("gestor@demo.local", limit_write=None) as c:
        inventario = await abrir(c, cidade, local_id=local)
        await comecar(c, cidade, local_id=fora)
        assert "em contagem" not in await esperam("responsavel"), "opened only, and out of reach"
        assert (await mudar(c, inventario, "contando")).status_code == 200
        assert f"1 inventário em contagem Nº {inventario['numero']} Um local: {setor}" in await esperam("responsavel")
        assert "2 inventários em contagem" in await esperam("gestor")
        assert "em contagem" not in await esperam("consulta"), "reads, and counts nothing"
        lidas = [leitura(numero, "nao_encontrado"), *(leitura(n, local_id=local) for n in outros)]
        r = await c.post(f"/api/inventarios/{inventario['id']}/leituras", json={"leituras": lidas})
        assert r.status_code == 200, r.text
        assert (await mudar(c, inventario, "decidindo")).status_code == 200
        assert (
            "inventário"
            not in (await esperam("responsavel")).partition("O que espera por você")[2].partition("Bens por")[0]
        )
        assert f"1 inventário a decidir Nº {inventario['numero']} Um local: {setor}" in await esperam("gestor")
