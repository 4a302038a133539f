"""Photos and documents: attached, seen by who sees the record, removed; kept is what was meant, and nothing beside it."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import psycopg
import pytest
from aplicacao import DOCUMENTOS
from arquivos import docx, jpeg, ods, pdf, png
from PIL import Image

from sispat.app import SLICES

GESTOR, RESPONSAVEL, CONSULTA = (f"{quem}@demo.local" for quem in ("gestor", "responsavel", "consulta"))


def um_bem(dsn: Any, onde: str = "true") -> dict[str, Any]:
    with psycopg.connect(dsn.conninfo) as conn:
        linha = conn.execute(
            f"select id, numero, setor_id from patrimonio p where situacao = 'em_uso' and {onde} order by numero limit 1"
        ).fetchone()
    assert linha is not None
    return dict(zip(("id", "numero", "setor_id"), linha, strict=True))


DO_RESPONSAVEL = """setor_id in (select setor_id from usuario_setor us join usuario u on u.id = usuario_id
                                 where papel = 'responsavel')"""


async def enviar(c: Any, bem: Any, *arquivos: tuple[str, bytes], chave: str = "", **campos: str) -> Any:
    return await c.post(
        "/api/uploads",
        data={"entidade": "patrimonio", "entidade_id": str(bem), **campos},
        files=[("arquivo", (nome, dados, "text/html")) for nome, dados in arquivos],
        headers={"Idempotency-Key": chave} if chave else {},
    )


async def test_photos_are_kept_upright_and_without_what_they_tell_of_the_phone(em_cada_lugar, cidade) -> None:
    cliente = em_cada_lugar
    bem = um_bem(cidade)["id"]
    async with cliente(GESTOR) as c:
        r = await enviar(c, bem, ("Frente.JPG", jpeg(4000, 3000, orientacao=6)), ("logo.png", png()))
        assert r.status_code == 201, r.text
        frente, logo = sorted(r.json()["items"], key=lambda item: item["formato"])
        assert (frente["tipo"], frente["nome"], frente["principal"]) == ("foto", "Frente.JPG", True)
        assert (frente["largura"], frente["altura"]) == (1920, 2560), "turned by its EXIF, and no larger than needed"
        conteudo = (await c.get(frente["conteudo"])).content
        assert hashlib.sha256(conteudo).hexdigest() == frente["sha256"], "what is read is what is on the disk"
        for segredo in (b"FabricanteSecreto", b"comentario secreto", b"Exif", b"GPS"):
            assert segredo not in conteudo
        pequena = Image.open(io.BytesIO((await c.get(frente["miniatura"])).content))
        assert (pequena.format, max(pequena.size)) == ("JPEG", 320)
        transparente = Image.open(io.BytesIO((await c.get(logo["conteudo"])).content))
        assert (transparente.mode, logo["principal"]) == ("RGBA", False), "one photo is the main one"
    with psycopg.connect(cidade.conninfo) as conn:
        eventos = conn.execute(
            """select acao, depois->>'documento', depois->>'sha256' from evento
               where entidade_id = %s and acao = 'anexar_documento'""",
            [bem],
        ).fetchall()
    assert sorted(e[1] for e in eventos) == ["Frente.JPG", "logo.png"], "both audited, with the asset"


async def test_documents_are_kept_bit_by_bit_and_downloaded_under_their_name(em_cada_lugar, cidade) -> None:
    cliente = em_cada_lugar
    bem = um_bem(cidade)["id"]
    enviados = {"nota.pdf": pdf(), "laudo ção.docx": docx(), "contas.ods": ods()}
    async with cliente(GESTOR) as c:
        r = await enviar(c, bem, *enviados.items(), tipo="nota_fiscal", descricao="Da compra")
        assert r.status_code == 201, r.text
        for item in r.json()["items"]:
            assert (item["tipo"], item["descricao"], item["miniatura"]) == ("nota_fiscal", "Da compra", None)
            r = await c.get(item["conteudo"])
            assert r.content == enviados[item["nome"]]
            assert r.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in r.headers["content-security-policy"]
            assert r.headers["cache-control"] == "private, no-cache"
            assert r.headers["content-disposition"].startswith("attachment; filename="), "never shown by the browser"
        assert (
            "filename*=UTF-8''laudo%20%C3%A7%C3%A3o.docx"
            in (await c.get(next(i for i in (await _lista(c, bem)) if i["formato"] == "docx")["conteudo"])).headers[
                "content-disposition"
            ]
        )
        uma = next(i for i in await _lista(c, bem) if i["formato"] == "pdf")
        r = await c.get(uma["conteudo"], headers={"Range": "bytes=5-9"})
        assert (r.status_code, r.content) == (206, enviados["nota.pdf"][5:10])
        r = await c.get(uma["conteudo"], headers={"Range": "bytes=-4"})
        assert (r.status_code, r.content) == (206, enviados["nota.pdf"][-4:])
        r = await c.get(uma["conteudo"], headers={"Range": "bytes=99999999-"})
        assert (r.status_code, r.headers["content-range"]) == (416, f"bytes */{len(enviados['nota.pdf'])}")
        r = await c.get(uma["conteudo"], headers={"Range": "bytes=5-9", "If-Range": '"outro"'})
        assert (r.status_code, r.content) == (200, enviados["nota.pdf"])
        r = await c.get(uma["conteudo"], headers={"If-None-Match": f'"{uma["sha256"]}"'})
        assert (r.status_code, r.content) == (304, b"")
        assert (await c.get(f"/api/uploads/{uma['id']}/miniatura")).status_code == 404


async def _lista(c: Any, bem: Any) -> list[dict[str, Any]]:
    r = await c.get("/api/uploads", params={"entidade": "patrimonio", "entidade_id": str(bem)})
    assert r.status_code == 200, r.text
    return r.json()["items"]


async def test_one_content_lies_there_once_and_the_same_request_is_done_once(em_cada_lugar, lugar, cidade) -> None:
    cliente = em_cada_lugar
    foto = jpeg(cor="red")
    um, outro = um_bem(cidade)["id"], um_bem(cidade, "numero > 10")["id"]
    async with cliente(GESTOR) as c:
        r = await enviar(c, um, ("a.jpg", foto), chave="k1")
        de_novo = await enviar(c, um, ("a.jpg", foto), chave="k1")
        assert (de_novo.status_code, de_novo.json()) == (201, r.json())
        assert de_novo.headers["idempotency-replayed"] == "true"
        r = await enviar(c, um, ("a.jpg", png()), chave="k1")
        assert (r.status_code, r.json()["code"]) == (422, "chave-reutilizada"), "the same key with another file"
        r = await enviar(c, um, ("b.jpg", foto))
        assert (r.status_code, "já está anexado, como “a.jpg”" in r.text) == (422, True)
        (la,) = (await enviar(c, outro, ("b.jpg", foto))).json()["items"]
        assert len(await _lista(c, um)) == 1
        assert la["sha256"] == (await _lista(c, um))[0]["sha256"]
    assert lugar.guardados(la["sha256"]) == [la["sha256"], f"{la['sha256']}.small"]
    assert not [p for p in (DOCUMENTOS / ".recebendo").iterdir() if p.name != "CACHEDIR.TAG"], "nothing is left behind"


async def test_who_does_not_see_the_record_sees_none_of_its_documents(em_cada_lugar, cidade) -> None:
    cliente = em_cada_lugar
    seu, alheio = um_bem(cidade, DO_RESPONSAVEL)["id"], um_bem(cidade, f"not {DO_RESPONSAVEL}")["id"]
    async with cliente(GESTOR) as c:
        (de_la,) = (await enviar(c, alheio, ("a.jpg", jpeg(cor="blue")))).json()["items"]
        (daqui,) = (await enviar(c, seu, ("a.pdf", pdf()))).json()["items"]
    async with cliente(RESPONSAVEL) as c:
        for endereco in (
            f"/api/uploads/{de_la['id']}",
            de_la["conteudo"],
            de_la["miniatura"],
            f"/documentos/{de_la['id']}",
        ):
            assert (await c.get(endereco)).status_code == 404, endereco
        assert (await enviar(c, alheio, ("a.jpg", jpeg()))).status_code == 404
        (minha,) = (await enviar(c, seu, ("minha.jpg", jpeg(cor="pink")))).json()["items"]
        r = await c.delete(f"/api/uploads/{daqui['id']}")
        assert (r.status_code, "Só quem o anexou" in r.text) == (422, True), "nobody removes somebody else's proof"
        assert (await c.delete(f"/api/uploads/{minha['id']}")).status_code == 204
        assert (await c.get(minha["conteudo"])).status_code == 404
    async with cliente(CONSULTA) as c:
        assert (await c.get(de_la["conteudo"])).status_code == 200
        assert (await enviar(c, seu, ("a.jpg", jpeg()))).status_code == 403
    async with cliente() as c:
        assert (await c.get(de_la["conteudo"])).status_code == 401
        assert (await enviar(c, seu, ("a.jpg", jpeg()))).status_code == 401


WITHOUT_DEMO = {"termo", "regularizacao", "reavaliacao", "inventario_item"}
"""Kinds of which the demo city has no record yet."""


@pytest.mark.timeout(180)  # each file is looked into by a program of its own
async def test_each_kind_of_record_takes_a_document_and_shows_it_on_its_card(cliente, navegar, cidade) -> None:
    entities = [each.entity for slice_ in SLICES for each in slice_.attachables]
    assert {entity.name for entity in entities} >= WITHOUT_DEMO | {
        "patrimonio", "imovel", "transferencia", "emprestimo", "manutencao", "localizacao", "baixa",
    }  # fmt: skip
    alive = {"patrimonio": "situacao = 'em_uso'", "imovel": "estado = 'ativo'"}
    bem = um_bem(cidade)
    novo, nota = {"numeros": [bem["numero"]]}, {"data": "2026-03-02", "circunstancia": "Não estava na sala"}
    async with cliente(GESTOR, limit_upload=None) as c, navegar("gestor") as pessoa:
        outro = um_bem(cidade, f"setor_id <> '{bem['setor_id']}'")["setor_id"]
        r = await c.post("/api/transferencias", json={**novo, "destino_id": str(outro), "motivo": "Sala nova"})
        assert r.status_code == 201, r.text
        (pedida,) = r.json()["items"]
        assert (await c.post(f"/api/transferencias/{pedida['id']}/cancelamento", json={})).status_code == 200
        assert (await c.post("/api/localizacoes/falta", json={**novo, **nota})).status_code == 201
        for entity in entities:
            if entity.name in WITHOUT_DEMO:
                continue
            with psycopg.connect(cidade.conninfo) as conn:
                row = conn.execute(
                    f"select id from {entity.name} where {alive.get(entity.name, 'true')} limit 1"
                ).fetchone()
            assert row is not None, entity.name
            nome = f"papel de {entity.name}.pdf"
            r = await enviar(c, row[0], (nome, pdf(Lang=entity.name)), entidade=entity.name)
            assert r.status_code == 201, (entity.name, r.text)
            ficha = await pessoa.ver(f"{entity.path}/{row[0]}")
            assert nome in ficha.texto, entity.name
            (item,) = r.json()["items"]
            assert f"/documentos/{item['id']}" in ficha.links, entity.name


async def test_a_main_photo_that_goes_is_followed_by_the_next_and_a_written_off_asset_stays_as_it_is(
    cliente, cidade
) -> None:
    bem = um_bem(cidade)["id"]
    async with cliente(GESTOR, documents_per_record=3) as c:
        for cor in ("red", "green", "blue"):
            assert (await enviar(c, bem, (f"{cor}.jpg", jpeg(cor=cor)))).status_code == 201
        r = await enviar(c, bem, ("mais.jpg", jpeg(cor="black")))
        assert (r.status_code, "Há lugar para 3" in r.text) == (422, True)
        primeira, segunda, terceira = await _lista(c, bem)
        r = await c.post(f"/api/uploads/{terceira['id']}/principal", json={})
        assert (r.status_code, r.json()["principal"]) == (200, True)
        assert (await c.delete(f"/api/uploads/{terceira['id']}")).status_code == 204
        assert [(i["nome"], i["principal"]) for i in await _lista(c, bem)] == [("red.jpg", True), ("green.jpg", False)]
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update patrimonio set situacao = 'baixado' where id = %s", [bem])
        assert (await c.delete(f"/api/uploads/{segunda['id']}")).status_code == 422
        assert (await enviar(c, bem, ("x.jpg", jpeg()))).status_code == 422
        assert (await c.get(primeira["conteudo"])).status_code == 200


NOMES = ("", "../../etc/passwd", "C:\\fotos\\a.jpg", "a\x00b.jpg", "foto\u202egpj.exe", "x" * 400, "con.jpg ", "%2e%2e")


async def test_any_name_becomes_one_that_can_be_shown(cliente, cidade) -> None:
    bem = um_bem(cidade)["id"]
    async with cliente(GESTOR, limit_upload=None) as c:
        for posicao, sent in enumerate(NOMES):
            corpo = (
                f'--b\r\nContent-Disposition: form-data; name="entidade"\r\n\r\npatrimonio\r\n--b\r\n'
                f'Content-Disposition: form-data; name="entidade_id"\r\n\r\n{bem}\r\n--b\r\n'
                f'Content-Disposition: form-data; name="arquivo"; filename="{sent}"\r\n\r\n'
            ).encode() + pdf(Lang=f"l{posicao}") + b"\r\n--b--\r\n"  # fmt: skip
            r = await c.post("/api/uploads", content=corpo, headers={"Content-Type": "multipart/form-data; boundary=b"})
            assert r.status_code == 201, (sent, r.text)
            (item,) = r.json()["items"]
            assert (item["nome"].endswith(".pdf"), len(item["nome"]) <= 120) == (True, True), (sent, item["nome"])
            assert not set(item["nome"]) & set("/\\\x00\u202e%"), item["nome"]
            assert (await c.get(item["conteudo"])).status_code == 200
