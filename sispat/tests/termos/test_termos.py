"""Termos: numbered, frozen, the same PDF each time, confirmed by anybody who has the paper, signed by whom they name."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pypdfium2
import pytest
import zxingcpp
from aplicacao import abrir
from PIL import Image

from sispat.termos.content import long_date

OWN = "(select setor_id from usuario_setor us join usuario u on u.id = us.usuario_id where u.papel = 'responsavel')"
ANO = dt.datetime.now(dt.UTC).year


def um(dsn: Any, sql: str, *valores: Any) -> Any:
    with psycopg.connect(dsn.conninfo) as conn:
        row = conn.execute(sql, valores or None).fetchone()
    return None if row is None else row[0] if len(row) == 1 else row


def agente_com_bens(dsn: Any, where: str = "true") -> tuple[str, str, int]:
    return um(
        dsn,
        f"""select a.id::text, a.nome, count(*) from agente a join patrimonio p on p.agente_id = a.id
            where p.situacao <> 'baixado' and {where} group by 1, 2 order by 3 desc, 1 limit 1""",
    )


async def emitir(c: httpx2.AsyncClient, tipo: str, assunto: str, **mais: Any) -> dict[str, Any]:
    r = await c.post("/api/termos", json={"tipo": tipo, "assunto_id": assunto, **mais})
    assert r.status_code == 201, r.text
    return dict(r.json())


def texto(pdf: bytes) -> str:
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        return " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())


def qr_codes(pdf: bytes) -> set[str]:
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        pictures = [page.render(scale=3).to_pil() for page in document]
    return {code.text for picture in pictures for code in zxingcpp.read_barcodes(picture)}


async def test_a_termo_of_custody_is_frozen_and_its_pdf_is_the_same_and_confirmed_by_anybody(cidade) -> None:
    agente, nome, quantos = agente_com_bens(cidade)
    async with abrir(cidade, "gestor@demo.local", public_url="https://bens.example", city_name="Cidade *#a*") as c:
        termo = await emitir(c, "responsabilidade", agente)
        assert (termo["numero"], termo["exercicio"], termo["bens"], termo["estado"]) == (1, ANO, quantos, "vigente")
        assert termo["sha256"] is None, "no PDF has left yet"
        one = await c.get(f"/api/termos/{termo['id']}/pdf")
        assert (one.status_code, one.headers["content-type"]) == (200, "application/pdf")
        assert one.headers["content-disposition"] == f'inline; filename="termo-responsabilidade-1-{ANO}.pdf"'
        sha256 = hashlib.sha256(one.content).hexdigest()
        lido = texto(one.content)
        assert f"Termo de responsabilidade nº 1/{ANO}" in lido
        assert nome in lido
        assert "Cidade *#a*" in lido, "the city's name is no markup"
        assert long_date(dt.date(2026, 3, 2)) == "2 de março de 2026"
        endereco = f"https://bens.example/t/{termo['codigo']}"
        assert qr_codes(one.content) == {endereco}

        # What it says does not change with what happens afterwards.
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update agente set nome = 'Outro Nome' where id = %s", [agente])
            conn.execute("update patrimonio set descricao = 'Outra coisa' where agente_id = %s", [agente])
        with psycopg.connect(cidade.conninfo) as conn, pytest.raises(psycopg.errors.RestrictViolation, match="frozen"):
            conn.execute("""update termo set conteudo = '{"a": 1}'""")
        again = await c.get(f"/api/termos/{termo['id']}/pdf")
        assert again.content == one.content
        assert (await c.get(f"/api/termos/{termo['id']}")).json()["sha256"] == sha256
        assert um(cidade, "select count(*) from termo_via") == 1
        assert um(cidade, "select count(*) from evento where acao = 'imprimir_termo'") == 1
        # A second is refused, or replaces it.
        r = await c.post("/api/termos", json={"tipo": "responsabilidade", "assunto_id": agente})
        assert (r.status_code, f"nº 1/{ANO}" in r.text) == (422, True)
        novo = await emitir(c, "responsabilidade", agente, substitui=True)
        assert novo["numero"] == 2
        pdf = await c.get(f"/api/termos/{novo['id']}/pdf")
        assert f"Substitui o Termo de responsabilidade nº 1/{ANO}" in texto(pdf.content)
        assert "Outra coisa" in texto(pdf.content)
        assert (await c.get(f"/api/termos/{termo['id']}/pdf")).content == one.content, "also when it counts no more"
    # Another process, started later; nobody is signed in.
    async with abrir(cidade) as fora:
        pagina = await fora.get(f"/t/{termo['codigo'][:8].lower()}-{termo['codigo'][8:]}")
        assert pagina.status_code == 200
        assert pagina.headers["x-robots-tag"] == "noindex, nofollow"
        assert pagina.headers["cache-control"] == "public, max-age=60"
        for expected in (f"Termo de responsabilidade nº 1/{ANO}", sha256, f"pelo nº 2/{ANO}", "não vale mais"):
            assert expected in pagina.text
        assert nome not in pagina.text
        assert "Outro Nome" not in pagina.text
        achado = await fora.get("/api/publico/termos", params={"sha256": sha256.upper()})
        assert achado.json()["estado"] == "substituido"
        assert set(achado.json()) == {
            "tipo", "numero", "exercicio", "codigo", "emitido_em", "bens", "estado", "ate", "substituido_por", "sha256",
            "partes", "assinadas",
        }  # fmt: skip
        assert (await fora.get(f"/api/publico/termos/{'0' * 16}")).status_code == 404
        assert (await fora.get("/api/publico/termos/1")).status_code == 404
        # By upload: as it left, and with one byte changed.
        enviado = await fora.post("/conferir", files={"pdf": ("x.pdf", pdf.content, "application/pdf")})
        assert (enviado.status_code, "byte a byte" in enviado.text, "Vigente" in enviado.text) == (200, True, True)
        enviado = await fora.post("/conferir", files={"pdf": ("x.pdf", pdf.content + b" ", "application/pdf")})
        assert (enviado.status_code, "foi alterado" in enviado.text) == (404, True)
        assert f"nº 2/{ANO}" in (await fora.post("/conferir", data={"codigo": novo["codigo"]})).text
        assert (await fora.post("/conferir", data={"codigo": "'; drop"})).status_code == 404
        assert (await fora.get("/conferir")).status_code == 200


async def test_two_who_issue_the_same_get_one_termo_and_numbers_have_no_doubles(cidade, monkeypatch) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        agentes = [row[0] for row in conn.execute(
            """select distinct a.id::text from agente a join patrimonio p on p.agente_id = a.id
               where p.situacao <> 'baixado' order by 1 limit 5""")]  # fmt: skip
    async with abrir(cidade, "gestor@demo.local", limit_write=None) as c:
        asked = [
            c.post("/api/termos", json={"tipo": "responsabilidade", "assunto_id": a}) for a in agentes for _ in "ab"
        ]
        answers = await asyncio.gather(*asked)
        assert sorted(r.status_code for r in answers) == [201] * 5 + [422] * 5
        numbers = sorted(r.json()["numero"] for r in answers if r.status_code == 201)
        assert numbers == [1, 2, 3, 4, 5], "one that fails gives its number back"
        primeira = (await c.get("/api/termos", params={"limit": 2})).json()
        assert [each["numero"] for each in primeira["items"]] == [5, 4]
        segunda = (await c.get("/api/termos", params={"limit": 200, "cursor": primeira["next"]})).json()
        assert [each["numero"] for each in segunda["items"]] == [3, 2, 1]
        assert (await c.get("/api/termos", params={"cursor": "eyJ4Ijox"})).status_code == 422
        assert (await c.post("/api/termos", json={"tipo": "baixa", "assunto_id": str(uuid4())})).status_code == 404


async def test_transfers_loans_and_write_offs_become_termos_and_cards_lead_to_them(cidade, cliente, navegar) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        numeros = [
            row[0] for row in conn.execute("select numero from patrimonio where situacao = 'em_uso' order by 1 limit 5")
        ]
        destino, local, recebe, quem = conn.execute(
            """select l.setor_id::text, l.id::text, a.id::text, a.nome from local l join agente a on a.setor_id = l.setor_id
               where l.setor_id not in (select setor_id from patrimonio where numero = any(%s)) order by 1, 2, 3 limit 1""",
            [numeros],
        ).fetchone()
    async with cliente("gestor@demo.local") as c:
        pedido = {"numeros": numeros[:1], "destino_id": destino, "motivo": "Sala <nova> #1"}
        (transferencia,) = (await c.post("/api/transferencias", json=pedido)).json()["items"]
        r = await c.post("/api/termos", json={"tipo": "transferencia", "assunto_id": transferencia["id"]})
        assert (r.status_code, "foi aceito" in r.text) == (422, True), "what has not changed hands has no termo"
        r = await c.post(
            f"/api/transferencias/{transferencia['id']}/aceite", json={"local_id": local, "agente_id": recebe}
        )
        assert r.status_code == 200, r.text
        emprestimo = {
            "tomador": "Escola Rui",
            "tomador_doc": "52998224725",
            "saida": "2026-03-02",
            "previsao": "2026-03-20",
        }
        dados = {**emprestimo, "finalidade": "Feira", "numeros": numeros[1:3]}
        emprestados = (await c.post("/api/emprestimos", json=dados)).json()["items"]
        baixa = {"motivo": "furto_roubo", "data": "2026-03-02", "justificativa": "Sala arrombada", "boletim": "BO 1",
                 "data_ocorrencia": "2026-03-01", "numeros": numeros[3:5]}  # fmt: skip
        baixas = (await c.post("/api/baixas", json=baixa)).json()["items"]

        esperado = {
            "transferencia": (transferencia["id"], 1, ("Sala <nova> #1", quem, "Entrega", "Recebe")),
            "emprestimo": (emprestados[1]["id"], 2, ("Escola Rui", "***.982.247-**", "20/03/2026")),
            "baixa": (baixas[1]["id"], 2, ("Furto ou roubo", "BO 1")),
        }
        for tipo, (assunto, bens, dito) in esperado.items():
            termo = await emitir(c, tipo, assunto)
            assert (termo["numero"], termo["bens"]) == (1, bens), "what was done together is one paper"
            lido = texto((await c.get(f"/api/termos/{termo['id']}/pdf")).content)
            for each in dito:
                assert each in lido, (tipo, each)
            listed = (await c.get("/api/termos", params={"movimento": assunto})).json()["items"]
            assert [each["id"] for each in listed] == [termo["id"]]
        r = await c.post("/api/termos", json={"tipo": "emprestimo", "assunto_id": emprestados[0]["id"]})
        assert r.status_code == 422, "its sibling has it already"
        de_um = (await c.get("/api/termos", params={"bem": numeros[2]})).json()["items"]
        assert [each["tipo"] for each in de_um] == ["emprestimo"]
        partes = (await c.get(f"/api/termos/{de_um[0]['id']}/partes")).json()
        assert [each["papel"] for each in partes] == ["Entrega", "Recebe"]
    async with navegar("gestor") as pessoa:
        for ficha, termos in (
            (f"/transferencias/{transferencia['id']}", f"/termos?movimento={transferencia['id']}"),
            (f"/emprestimos/{emprestados[0]['id']}", f"/termos?movimento={emprestados[0]['id']}"),
            (f"/baixas/{baixas[0]['id']}", f"/termos?movimento={baixas[0]['id']}"),
            (f"/agentes/{recebe}", f"/termos?agente={recebe}"),
        ):
            tela = await pessoa.ver(ficha)
            tela.conferir()
            assert termos in tela.links
            lista = await pessoa.ver(termos)
            lista.conferir()
            assert "nº 1/" in lista.texto, ficha
        # One click; a second time the form asks what is to become of the first.
        tela = await pessoa.ver(f"/agentes/{recebe}")
        feita = await pessoa.mandar(tela.formulario("/termos/novo"))
        feita.conferir()
        assert "Termo emitido" in feita.texto
        repetida = await pessoa.mandar(tela.formulario("/termos/novo"))
        assert (repetida.estado, "Já há um termo vigente" in repetida.texto) == (422, True)
        substituta = await pessoa.mandar(repetida.formulario("/termos/novo"), substitui="true")
        assert (substituta.estado, "nº 2/" in substituta.titulos[0]) == (200, True)


async def test_who_leaves_and_who_takes_over_are_on_one_termo_and_arms_stay_as_they_were(cidade, tmp_path) -> None:
    sai, nome, quantos = agente_com_bens(cidade)
    fica, sucessor = um(cidade, "select id::text, nome from agente where id <> %s order by nome limit 1", sai)
    brasao = tmp_path / "brasao"
    Image.new("RGB", (60, 60), (200, 0, 0)).save(brasao, format="PNG")
    async with abrir(cidade, "gestor@demo.local", city_arms=brasao) as c:
        r = await c.post("/api/termos", json={"tipo": "transferencia", "assunto_id": sai})
        assert (r.status_code, "não passou" in r.text) == (422, True)
        r = await c.post(f"/api/agentes/{sai}/saida", json={"sucessor_id": fica, "motivo": "Aposentadoria"})
        assert r.status_code == 200, r.text
        termo = await emitir(c, "transferencia", sai)
        assert (termo["bens"], termo["agente"]["nome"]) == (quantos, sucessor)
        pdf = (await c.get(f"/api/termos/{termo['id']}/pdf")).content
        lido = texto(pdf)
        for each in (nome, sucessor, "Aposentadoria", "Entrega", "Recebe"):
            assert each in lido
        with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
            assert (200, 0, 0) in {
                color for _, color in document[0].render(scale=1).to_pil().convert("RGB").getcolors(99999)
            }
        # The city has new arms, later none that can be read: what was printed stays what it is.
        brasao.write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
        )
        outro = await emitir(c, "responsabilidade", fica)
        assert (await c.get(f"/api/termos/{outro['id']}/pdf")).content.startswith(b"%PDF")
        brasao.write_bytes(b"GIF89a")
        assert (await c.get(f"/api/termos/{termo['id']}/pdf")).content == pdf
        await emitir(c, "responsabilidade", fica, substitui=True)
    assert um(cidade, "select count(*) from papel_brasao") == 2
    assert um(cidade, "select count(*) from termo where brasao is null") == 1


async def test_whom_a_termo_names_signs_what_they_read_once_and_an_annulled_one_says_so(cidade, navegar) -> None:
    agente, nome, _bens = agente_com_bens(cidade, f"a.setor_id in {OWN} and p.setor_id in {OWN}")
    with psycopg.connect(cidade.conninfo) as conn:  # all of it within reach of the responsavel
        conn.execute(f"update patrimonio set agente_id = (select id from agente where id <> %s limit 1)"
                     f" where agente_id = %s and setor_id not in {OWN}", [agente, agente])  # fmt: skip
    async with abrir(cidade, "gestor@demo.local") as c:
        termo = await emitir(c, "responsabilidade", agente)
        r = await c.post(f"/api/termos/{termo['id']}/assinatura", json={"sha256": "0" * 64})
        assert (r.status_code, "no papel" in r.text) == (422, True), "switched off unless the city wants it"
        await c.post(f"/api/termos/{termo['id']}/anulacao", json={"anulacao": "Era um teste"})
        versao = (await c.get(f"/api/agentes/{agente}")).json()["versao"]
        novo = {"email": "RESPONSAVEL@demo.local"}
        r = await c.patch(f"/api/agentes/{agente}", json=novo, headers={"If-Match": str(versao)})
        assert (r.status_code, r.json()["email"]) == (200, "responsavel@demo.local")
    async with abrir(cidade, "responsavel@demo.local", click_signing=True) as c:
        termo = await emitir(c, "responsabilidade", agente)
        assinatura = f"/api/termos/{termo['id']}/assinatura"
        r = await c.post(assinatura, json={"sha256": "0" * 64})
        assert (r.status_code, "não é o PDF" in r.text) == (422, True)
    async with navegar("responsavel", click_signing=True) as pessoa:
        inicio = await pessoa.ver("/")
        assert "1 termo a assinar" in inicio.texto
        tela = await pessoa.ver(f"/termos/{termo['id']}")
        assert "Abra o PDF primeiro" in tela.texto
        pdf = (await pessoa.http.get(f"/termos/{termo['id']}/pdf")).content
        tela = await pessoa.ver(f"/termos/{termo['id']}")
        tela.conferir()
        feita = await pessoa.mandar(tela.formulario(f"/termos/{termo['id']}/assinar"))
        assert "Assinatura registrada" in feita.texto
        assert "a assinar" not in (await pessoa.ver("/")).texto
        again = await pessoa.mandar(tela.formulario(f"/termos/{termo['id']}/assinar"))
        assert (again.estado, "já assinou" in again.texto) == (422, True)
        # Signed by hand as well: the scan hangs on the termo, for whoever sees it.
        sent = {"entidade": "termo", "entidade_id": termo["id"]}
        assert f"/documentos/termo/{termo['id']}/novo" in (await pessoa.ver(f"/termos/{termo['id']}")).links
    async with abrir(cidade, "responsavel@demo.local") as c:
        r = await c.post("/api/uploads", data=sent, files=[("arquivo", ("assinado.pdf", pdf, "application/pdf"))])
        assert r.status_code == 201, r.text
        assert "assinado.pdf" in (await c.get("/api/uploads", params=sent)).text
    sha256 = hashlib.sha256(pdf).hexdigest()
    evento = um(cidade, "select depois from evento where acao = 'assinar_termo'")
    assert (evento["sha256"], "Responsável pelos bens" in evento["papel"]) == (sha256, True)
    quem_quando_de_onde_o_que = um(
        cidade,
        """select u.email, p.assinada_em = e.em, p.endereco, encode(p.sha256, 'hex') from termo_parte p
           join usuario u on u.id = p.assinada_por
           join evento e on e.acao = 'assinar_termo' and e.entidade_id = p.termo_id""",
    )
    assert quem_quando_de_onde_o_que == ("responsavel@demo.local", True, "127.0.0.1", sha256)
    with (
        psycopg.connect(cidade.conninfo) as conn,
        pytest.raises(psycopg.errors.RestrictViolation, match="signed already"),
    ):
        conn.execute("update termo_parte set endereco = 'x' where assinada_em is not null")
    async with abrir(cidade, "gestor@demo.local", click_signing=True) as c:
        r = await c.post(assinatura, json={"sha256": sha256})
        assert (r.status_code, "não espera a sua" in r.text) == (422, True), "nobody signs for another person"
        r = await c.post(f"/api/termos/{termo['id']}/anulacao", json={"anulacao": "Pessoa errada"})
        assert (r.status_code, r.json()["estado"]) == (200, "anulado")
        r = await c.post(f"/api/termos/{termo['id']}/anulacao", json={"anulacao": "Outra vez"})
        assert (r.status_code, "Anulado" in r.text) == (422, True)
        assert (await c.get(f"/api/termos/{termo['id']}/pdf")).content == pdf
        assert (await emitir(c, "responsabilidade", agente))["numero"] == 3
    async with abrir(cidade) as fora:
        pagina = (await fora.get(f"/t/{termo['codigo']}")).text
        assert "foi anulado" in pagina
        assert "Pessoa errada" not in pagina
        assert nome not in pagina


async def test_an_integration_signs_nothing_and_other_setores_see_nothing(cidade) -> None:
    agente, _nome, _bens = agente_com_bens(cidade, f"a.setor_id not in {OWN}")
    async with abrir(cidade, "gestor@demo.local") as c:
        termo = await emitir(c, "responsabilidade", agente)
    async with abrir(cidade, "responsavel@demo.local", click_signing=True) as c:
        for path in ("", "/pdf", "/partes"):
            assert (await c.get(f"/api/termos/{termo['id']}{path}")).status_code == 404
        assert (await c.get("/api/termos")).json()["items"] == []
        assert (await c.post("/api/termos", json={"tipo": "responsabilidade", "assunto_id": agente})).status_code == 404
        assert (await c.post(f"/api/termos/{termo['id']}/anulacao", json={"anulacao": "Nada"})).status_code == 403
        # Whom it names sees it and signs it, wherever they work.
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update agente set email = 'responsavel@demo.local' where id = %s", [agente])
        pdf = await c.get(f"/api/termos/{termo['id']}/pdf")
        sha256 = hashlib.sha256(pdf.content).hexdigest()
        r = await c.post(f"/api/termos/{termo['id']}/assinatura", json={"sha256": sha256})
        assert (pdf.status_code, r.status_code) == (200, 200), r.text
