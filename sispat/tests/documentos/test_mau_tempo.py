"""What is sent to do harm, or comes broken, is refused in words; nothing of it is left, and what was typed is."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pikepdf
import psycopg
import pytest
from aplicacao import DOCUMENTOS, abrir
from arquivos import bomba_png, docx, jpeg, ods, pdf, png
from leitor import Formulario, Pessoa
from PIL import Image
from servida import servir
from test_anexar import DO_RESPONSAVEL, GESTOR, enviar, um_bem

from sispat.documentos import sql
from sispat.documentos import sweep as varredura
from sispat.kernel.files import FolderStore

NOME = pikepdf.Name
_ESPERANDO = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into conteudo%'"
JS = pikepdf.Dictionary(S=NOME.JavaScript, JS="app.alert(1)")
ANEXO = pikepdf.Dictionary(Type=NOME.Filespec, F="x.exe", EF=pikepdf.Dictionary())


def sobras() -> list[str]:
    pasta = DOCUMENTOS / ".recebendo"
    return [p.name for p in pasta.iterdir() if p.name != "CACHEDIR.TAG"] if pasta.exists() else []


def _bomba_zip() -> bytes:
    saida = BytesIO()
    with zipfile.ZipFile(saida, "w", zipfile.ZIP_DEFLATED) as arquivo:
        arquivo.writestr("[Content_Types].xml", b"wordprocessingml.document.main+xml")
        with arquivo.open("word/document.xml", "w", force_zip64=True) as parte:
            for _ in range(210):
                parte.write(bytes(1 << 20))
    return saida.getvalue()


def _com_senha() -> bytes:
    saida = BytesIO()
    with pikepdf.open(BytesIO(pdf())) as documento:
        documento.save(saida, encryption=pikepdf.Encryption(user="segredo", owner="segredo"))
    return saida.getvalue()


_FORA = b'<Relationships><Relationship Type="x/attachedTemplate" Target="http://x/y" TargetMode="External"/></Relationships>'
RUINS: dict[str, tuple[Any, str]] = {
    "pagina.jpg": (b"<!doctype html><script>alert(1)</script>", "página (HTML)"),
    "desenho.png": (b'\xef\xbb\xbf  <svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "desenho (SVG)"),
    "polyglot.pdf": (b"<html>\n" + pdf(), "página (HTML)"),
    "antes.docx": (b"MZ" + docx(), "programa"),
    "depois.docx": (docx() + b"<script>", "algo antes do começo ou depois do fim"),
    "depois.pdf": (pdf() + b"PK\x03\x04" + bytes(2000), "danificado ou veio pela metade"),
    "bomba.png": (bomba_png(), "pontos demais"),
    "bomba.docx": (_bomba_zip, "bomba de compactação"),
    "script.pdf": (pdf(OpenAction=JS), "JavaScript"),
    "nomes.pdf": (pdf(Names=pikepdf.Dictionary(JavaScript=pikepdf.Dictionary(Names=[]))), "JavaScript"),
    "abre.pdf": (pdf(OpenAction=pikepdf.Dictionary(S=NOME.Launch, F="calc.exe")), "abre outros programas"),
    "dentro.pdf": (pdf(AF=pikepdf.Array([ANEXO])), "outros arquivos dentro"),
    "xfa.pdf": (pdf(AcroForm=pikepdf.Dictionary(XFA="x")), "XFA"),
    "senha.pdf": (_com_senha, "protegido por senha"),
    "metade.pdf": (pdf()[:-200], "danificado ou veio pela metade"),
    "metade.jpg": (jpeg()[:-500], "danificado ou veio pela metade"),
    "metade.docx": (docx()[:-30], "danificado ou veio pela metade"),
    "macro.docx": (docx(word__vbaProject="x"), "macros"),
    "macro2.docx": (docx("application/vnd.ms-word.document.macroEnabled.main+xml"), "macros"),
    "busca.docx": (docx(**{"word__rels": _FORA, "word___rels__settings.xml.rels": _FORA}), "macros"),
    "macro.ods": (ods(Basic__x="x"), "macros"),
    "velho.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Office antigo"),
    "iphone.jpg": (b"\x00\x00\x00\x18ftypheic" + bytes(600), "HEIC"),
    "filme.mp4": (b"\x00\x00\x00\x18ftypisom" + bytes(600), "vídeo"),
    "zip.docx": (docx("nada"), "tipo que não é aceito"),
    "vazio.pdf": (b"", "está vazio"),
    "grande.jpg": (jpeg() + bytes(3 << 20), "grande demais"),
}


async def test_what_could_do_harm_or_is_broken_is_refused_by_what_is_in_it(cliente, cidade) -> None:
    bem = um_bem(cidade)["id"]
    async with cliente(GESTOR, upload_size=2 << 20, limit_write=None, limit_upload=None) as c:
        for nome, (dados, motivo) in RUINS.items():
            r = await enviar(c, bem, (nome, dados() if callable(dados) else dados))
            assert (r.status_code, motivo in r.text, nome in r.text) == (422, True, True), (nome, r.text)
            assert r.json()["errors"][0]["field"] == "arquivo"
        r = await enviar(c, bem, ("boa.jpg", jpeg()), ("ruim.svg", RUINS["desenho.png"][0]))
        assert r.status_code == 422, "all or none"
        r = await c.get("/api/uploads", params={"entidade": "patrimonio", "entidade_id": str(bem)})
        assert (r.json(), sobras()) == ({"items": []}, [])


async def test_a_picture_keeps_nothing_that_was_appended_to_it(cliente, cidade) -> None:
    bem = um_bem(cidade)["id"]
    async with cliente(GESTOR) as c:
        for nome, dados in (("a.jpg", jpeg(cor="navy")), ("b.png", png("P", 32))):
            r = await enviar(c, bem, (nome, dados + b"<script>alert(1)</script>PK\x03\x04"))
            assert r.status_code == 201, r.text
            assert b"script" not in (await c.get(r.json()["items"][0]["conteudo"])).content


async def test_a_hundred_megabytes_are_refused_before_they_are_read(cliente, cidade) -> None:
    bem, lidos = um_bem(cidade)["id"], 0

    async def corpo() -> Any:
        nonlocal lidos
        for _ in range(101):
            lidos += 1
            yield bytes(1 << 20)

    async with cliente(GESTOR) as c:
        cabecalhos = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(101 << 20)}
        r = await c.post("/api/uploads", content=corpo(), headers=cabecalhos)
        assert (r.status_code, r.json()["code"], sobras()) == (413, "grande-demais", [])
        r = await c.post("/api/patrimonios", content=bytes(2 << 20), headers={"Content-Type": "application/json"})
        assert r.status_code == 413, "other routes keep their own limit"
        assert (await enviar(c, bem, *((f"{n}.jpg", b"x") for n in range(12)))).status_code == 422


async def test_ten_uploads_an_hour_count_for_a_person_and_files_of_one_upload_count_once(cliente, cidade) -> None:
    bem = um_bem(cidade)["id"]
    async with cliente(GESTOR) as c:
        estados = [(await enviar(c, bem, ("a.pdf", b"x"), ("b.pdf", b"x"))).status_code for _ in range(11)]
        assert estados == [422] * 10 + [429]


async def _formulario(pessoa: Pessoa, bem: Any) -> Formulario:
    ficha = await pessoa.ver(f"/patrimonios/{bem}")
    (anexar,) = (x for x in ficha.links if x.startswith("/documentos/patrimonio/"))
    return (await pessoa.ver(anexar)).formulario(anexar)


async def _mandar(pessoa: Pessoa, formulario: Formulario, *arquivos: tuple[str, bytes], **digitado: str) -> Any:
    valores = {n: v for n, v in formulario.valores.items() if n not in ("arquivo", "camera")} | digitado
    partes = [("arquivo", (nome, dados)) for nome, dados in arquivos] or [("arquivo", ("", b""))]
    r = await pessoa.http.post(formulario.acao, data=valores, files=partes, follow_redirects=True)
    return pessoa._lida(r)


async def test_the_form_keeps_what_was_typed_when_a_file_is_refused_and_the_card_shows_what_was_taken(
    navegar, cidade
) -> None:
    bem = um_bem(cidade, DO_RESPONSAVEL)["id"]
    async with navegar("responsavel") as pessoa:
        formulario = await _formulario(pessoa, bem)
        digitado = {"descricao": "Plaqueta e frente", "tipo": "foto"}
        recusada = await _mandar(pessoa, formulario, ("a.svg", RUINS["desenho.png"][0]), **digitado)
        assert (recusada.estado, "desenho (SVG)" in recusada.texto) == (422, True)
        de_novo = recusada.formulario(formulario.acao)
        assert {n: de_novo.valores[n] for n in digitado} == digitado
        sem = await _mandar(pessoa, de_novo, **digitado)
        assert (sem.estado, "Escolha pelo menos um arquivo" in sem.texto) == (422, True)
        feita = await _mandar(pessoa, sem.formulario(formulario.acao), ("a.jpg", jpeg()), ("n.pdf", pdf()), **digitado)
        assert "Arquivos anexados." in feita.texto
        assert "Plaqueta e frente" in feita.texto
        assert "Anexou um documento" in feita.texto, "the history tells of it"
        remover = [x for x in feita.links if x.endswith("/remover")]
        assert len(remover) == 2
        confirmar = await pessoa.ver(remover[0])
        feita = await pessoa.mandar(confirmar.formulario(remover[0]))
        assert "Documento removido." in feita.texto
        assert len([x for x in feita.links if x.endswith("/remover")]) == 1


async def test_a_police_report_comes_with_the_write_off_in_one_transaction_and_the_invoice_with_the_repair(
    navegar, cidade
) -> None:
    bem = um_bem(cidade, "posse = 'proprio'")
    endereco = f"/baixas/nova/furto_roubo?bem={bem['numero']}"
    async with navegar("gestor") as pessoa:
        formulario = (await pessoa.ver(endereco)).formulario("/baixas/nova/furto_roubo")
        digitado = {
            "data": "02/03/2026",
            "justificativa": "Sala arrombada",
            "boletim": "BO 1",
            "data_ocorrencia": "01/03/2026",
        }
        recusada = await _mandar(pessoa, formulario, ("bo.pdf", RUINS["script.pdf"][0]), **digitado)
        assert (recusada.estado, "JavaScript" in recusada.texto) == (422, True)
        de_novo = recusada.formulario(formulario.acao)
        assert de_novo.valores["justificativa"] == "Sala arrombada"
        with psycopg.connect(cidade.conninfo) as conn:
            assert conn.execute("select situacao from patrimonio where id = %s", [bem["id"]]).fetchone() == ("em_uso",)
        feita = await _mandar(pessoa, de_novo, ("bo.pdf", pdf()))
        assert ("Baixa registrada." in feita.texto, "Boletim de ocorrência ·" in feita.texto) == (True, True)
        (papel,) = (x for x in feita.links if x.startswith("/documentos/") and not x.endswith(("/novo", "/remover")))
        assert (await pessoa.http.get(papel)).content == pdf()
        outro = um_bem(cidade)
        envio = (await pessoa.ver(f"/manutencoes/nova?bem={outro['numero']}")).formulario("/manutencoes/nova")
        ficha = await pessoa.mandar(envio, problema="Não liga")
        (concluir,) = (x for x in ficha.links if x.endswith("/concluir"))
        feito = {"custo": "10,00", "servico": "Fonte trocada"}
        feita = await _mandar(pessoa, (await pessoa.ver(concluir)).formulario(concluir), ("nf.pdf", pdf()), **feito)
        assert ("Manutenção concluída" in feita.texto, "Nota fiscal ·" in feita.texto) == (True, True)


async def test_a_session_that_ends_during_an_upload_keeps_nothing_but_what_was_typed(cidade) -> None:
    """A lost phone: whose it is ends its session at a desk, on another machine, while it sends."""
    bem, encerradas = um_bem(cidade)["id"], []
    async with abrir(cidade) as http, abrir(cidade, GESTOR) as mesa:
        pessoa = Pessoa(http)
        await pessoa.entrar("gestor")
        formulario = await _formulario(pessoa, bem)
        valores = formulario.valores | {"descricao": "Do celular perdido"}
        cabeca = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'
            for n, v in valores.items() if n not in ("arquivo", "camera")
        )  # fmt: skip

        async def corpo() -> Any:
            yield cabeca.encode()
            yield b'--b\r\nContent-Disposition: form-data; name="arquivo"; filename="a.jpg"\r\n\r\n' + jpeg()
            encerradas.append((await mesa.delete("/api/auth/sessoes")).json()["encerradas"])
            yield b"\r\n--b--\r\n"

        tipo = {"Content-Type": "multipart/form-data; boundary=b"}
        r = await http.post(formulario.acao, content=corpo(), headers=tipo)
        assert (r.status_code, sobras(), encerradas) == (401, [], [1])
        assert (await mesa.get("/api/auth/me")).status_code == 200
        assert "Do celular perdido" in r.text, "whoever signs in again finds what was typed"
        with psycopg.connect(cidade.conninfo) as conn:
            assert conn.execute("select count(*) from documento").fetchone() == (0,)
        entrada = pessoa._lida(r).formulario("/entrar")
        de_novo = await pessoa.mandar(entrada, email="gestor@demo.local", password="demo")
        assert de_novo.formulario(formulario.acao).valores["descricao"] == "Do celular perdido"
        async with abrir(cidade) as outra:
            r = await outra.post(formulario.acao, content=corpo(), headers=tipo)
            assert r.status_code == 401, "without a session nothing is read"
        assert encerradas == [1]


async def test_a_full_disk_keeps_nothing_half_and_says_so(cliente, cidade, navegar) -> None:
    bem = um_bem(cidade)["id"]
    grande = jpeg() + os.urandom(1 << 20)
    macio, duro = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with cliente(GESTOR) as c, navegar("gestor") as pessoa:
        formulario = await _formulario(pessoa, bem)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, duro))
            r = await enviar(c, bem, ("a.jpg", grande))
            tela = await _mandar(pessoa, formulario, ("a.jpg", grande), descricao="Não se perde")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (macio, duro))
        assert (r.status_code, r.json()["code"], r.headers["retry-after"]) == (503, "disco-cheio", "60")
        assert (tela.estado, "disco dos documentos está cheio" in tela.texto) == (503, True)
        assert tela.formulario(formulario.acao).valores["descricao"] == "Não se perde"
        assert sobras() == []
        assert (await enviar(c, bem, ("a.jpg", grande))).status_code == 201, "with room again, as if nothing had been"


@pytest.fixture
def disco_de_900k(tmp_path: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root mounts a small file system, and not everywhere")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


async def test_a_small_disk_that_fills_at_any_step_refuses_the_file_and_takes_the_next(
    cliente, cidade, disco_de_900k: Path
) -> None:
    bem, ruido = um_bem(cidade)["id"], BytesIO()
    Image.effect_noise((900, 900), 120).save(ruido, "JPEG", quality=60)
    assert len(ruido.getvalue()) < 800_000, "what comes fits; what would be kept of it as well does not"
    async with cliente(GESTOR, documents_dir=disco_de_900k) as c:
        for dados in (jpeg() + os.urandom(1 << 20), ruido.getvalue()):
            r = await enviar(c, bem, ("a.jpg", dados))
            assert (r.status_code, r.json()["code"]) == (503, "disco-cheio"), (len(dados), r.text)
            assert os.listdir(disco_de_900k / ".recebendo") == ["CACHEDIR.TAG"]
        assert (await enviar(c, bem, ("b.jpg", jpeg()))).status_code == 201


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(cidade) -> None:
    def ate(pergunta: Callable[[], bool]) -> None:
        fim = time.monotonic() + 60
        while not pergunta():
            assert time.monotonic() < fim, sobras()
            time.sleep(0.02)

    with servir(cidade) as endereco:
        entrada = httpx2.post(f"{endereco}/api/auth/login", json={"email": GESTOR, "password": "demo"})
        onde = urlsplit(endereco)
        with socket.create_connection((onde.hostname, onde.port)) as cabo:
            cabo.sendall(
                b"POST /api/uploads HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                b"Content-Length: 9000000\r\nAuthorization: Bearer %b\r\n\r\n" % entrada.json()["token"].encode()
            )
            cabo.sendall(b'--b\r\nContent-Disposition: form-data; name="arquivo"; filename="a.jpg"\r\n\r\n' + jpeg())
            cabo.sendall(bytes(4 << 20))
            ate(lambda: len(sobras()) == 1)
        ate(lambda: not sobras())


async def test_a_content_that_is_being_removed_is_kept_for_whoever_attaches_it_again_at_that_moment(
    cliente, cidade, tmp_path
) -> None:
    bem = um_bem(cidade)["id"]
    async with cliente(GESTOR, documents_dir=tmp_path) as c:
        armazem, papel = FolderStore(tmp_path), pdf()
        (item,) = (await enviar(c, bem, ("a.pdf", papel))).json()["items"]
        sha256 = bytes.fromhex(item["sha256"])
        assert (await c.delete(f"/api/uploads/{item['id']}")).status_code == 204
        async with await psycopg.AsyncConnection.connect(cidade.conninfo) as conn:
            assert await sql.esquecer(conn, sha256, -1.0)
            envio = asyncio.create_task(enviar(c, bem, ("a.pdf", papel)))
            async with await psycopg.AsyncConnection.connect(cidade.conninfo, autocommit=True) as outra:
                fim = time.monotonic() + 30
                while not await (await outra.execute(_ESPERANDO)).fetchone():
                    assert time.monotonic() < fim
                    await asyncio.sleep(0.02)
            armazem.remove(sha256)
        r = await envio
        assert r.status_code == 201, r.text
        assert (await c.get(r.json()["items"][0]["conteudo"])).content == papel


async def test_the_sweep_removes_what_a_kill_left_and_what_nothing_needs_and_nothing_else(
    cliente, cidade, tmp_path
) -> None:
    um, outro = um_bem(cidade)["id"], um_bem(cidade, "numero > 10")["id"]
    async with cliente(GESTOR, documents_dir=tmp_path, limit_upload=None) as c:
        servico = c._transport.app.state.service
        (usado,) = (await enviar(c, um, ("a.jpg", jpeg(cor="red")))).json()["items"]
        (solto,) = (await enviar(c, um, ("b.pdf", pdf(PageMode=NOME.UseNone)))).json()["items"]
        (dos_dois,) = (await enviar(c, um, ("c.pdf", pdf()))).json()["items"]
        await enviar(c, outro, ("c.pdf", pdf()))
        for item in (solto, dos_dois):
            assert (await c.delete(f"/api/uploads/{item['id']}")).status_code == 204
        armazem = FolderStore(tmp_path)
        orfao = armazem.path(bytes.fromhex("ab" * 32))
        orfao.parent.mkdir(exist_ok=True)
        novo = orfao.with_name("ab" * 31 + "cd")
        parte, nova = tmp_path / ".recebendo" / "velha.part", tmp_path / ".recebendo" / "nova.part"
        for caminho in (orfao, novo, parte, nova):
            caminho.write_bytes(b"x")
        for caminho in (orfao, parte):
            os.utime(caminho, (0, 0))

        def la(item: dict[str, Any]) -> bool:
            return armazem.path(bytes.fromhex(item["sha256"])).exists()

        await varredura.sweep(servico, folders=[0xAB])
        assert (orfao.exists(), parte.exists(), novo.exists(), nova.exists()) == (False, False, True, True)
        assert (la(usado), la(solto), la(dos_dois)) == (True, True, True), "a restore may still need what was detached"
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update conteudo set solto_em = solto_em - interval '1 year' where solto_em is not null")
        await varredura.sweep(servico, folders=())
        assert (la(usado), la(solto), la(dos_dois)) == (True, False, True)
        (de_novo,) = (await enviar(c, um, ("b.pdf", pdf(PageMode=NOME.UseNone)))).json()["items"]
        assert (de_novo["sha256"], la(de_novo)) == (solto["sha256"], True), "and what comes back is kept again"
