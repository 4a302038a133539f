"""Documents in an object store that machines share: each has what the others got; without it nothing is half done."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import httpx2
import psycopg
import pytest
from aplicacao import abrir
from arquivos import jpeg, pdf
from processos import por_dentro
from servida import servir
from test_anexar import GESTOR, enviar, um_bem

from sispat.documentos import sweep as varredura
from sispat.kernel.files import FolderStore
from sispat.kernel.files import objects as objetos


def _contar(cidade: Any, tabela: str) -> int:
    with psycopg.connect(cidade.conninfo) as conn:
        return int(conn.execute(f"select count(*) from {tabela}").fetchone()[0])


async def test_what_one_machine_got_every_other_shows_and_no_disk_keeps(cidade, armazem, pastas) -> None:
    bem, grande = um_bem(cidade)["id"], pdf(Extra=os.urandom(3 << 20).hex())
    async with abrir(cidade, GESTOR, documents_dir=pastas[0], documents_store=armazem.url) as a:
        r = await enviar(a, bem, ("a.jpg", jpeg(cor="red")), ("b.pdf", grande))
        assert r.status_code == 201, r.text
        foto, papel = sorted(r.json()["items"], key=lambda item: item["formato"])
    async with abrir(cidade, GESTOR, documents_dir=pastas[1], documents_store=armazem.url) as b:
        conteudo = (await b.get(foto["conteudo"])).content
        assert hashlib.sha256(conteudo).hexdigest() == foto["sha256"]
        assert (await b.get(foto["miniatura"])).headers["content-type"] == "image/jpeg"
        r = await b.get(papel["conteudo"])
        assert (r.content == grande, r.headers["content-length"]) == (True, str(len(grande))), "of several parts"
        r = await b.head(papel["conteudo"])
        assert (r.content, r.headers["content-length"]) == (b"", str(len(grande)))
        assert (await b.delete(f"/api/uploads/{foto['id']}")).status_code == 204
    assert [p.name for pasta in pastas if pasta.exists() for p in pasta.rglob("*") if p.is_file()] == ["CACHEDIR.TAG"]
    prefixos = sorted({chave.partition("/")[0] for chave in armazem.chaves()})
    assert prefixos == sorted({foto["sha256"][:2], papel["sha256"][:2]}), "what was removed stays for a restore"


async def test_a_store_that_is_away_refuses_files_says_so_and_takes_them_when_it_is_back(
    cidade, armazem, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(objetos, "_TIMEOUT", 1.0)
    bem = um_bem(cidade)["id"]
    async with abrir(cidade, GESTOR, documents_dir=tmp_path, documents_store=armazem.url, limit_upload=None) as c:
        (antes,) = (await enviar(c, bem, ("a.pdf", pdf()))).json()["items"]
        linhas = _contar(cidade, "documento"), _contar(cidade, "conteudo")
        armazem.proxy.stop()
        r = await enviar(c, bem, ("b.jpg", jpeg(cor="blue")))
        assert (r.status_code, r.json()["code"], "Nada foi gravado" in r.text) == (503, "armazem-fora", True), r.text
        assert r.headers["retry-after"] == "5"
        assert (_contar(cidade, "documento"), _contar(cidade, "conteudo")) == linhas
        assert os.listdir(tmp_path / ".recebendo") == ["CACHEDIR.TAG"]
        r = await c.get(antes["conteudo"])
        assert (r.status_code, r.json()["code"], "Nada foi gravado" in r.text) == (503, "armazem-fora", False)
        saude = (await c.get("/api/health")).json()
        assert saude["checks"]["documents:responseTime"][0]["status"] == "fail"
        assert (saude["status"], (await c.get("/api/patrimonios")).status_code) == ("warn", 200), "all else goes on"
        armazem.proxy.start()
        c._transport.app.state.service.resource(objetos.ObjectFileStore).pipeline.circuit.reset()  # as time does
        assert (await enviar(c, bem, ("b.jpg", jpeg(cor="blue")))).status_code == 201
        assert (await c.get(antes["conteudo"])).content == pdf()


def test_a_store_that_goes_away_in_the_middle_of_a_download_gives_no_part_for_the_whole(
    cidade, armazem, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(objetos, "_TIMEOUT", 1.0)
    bem, grande = um_bem(cidade)["id"], pdf(Extra=os.urandom(2 << 20).hex())
    with servir(cidade, documents_dir=tmp_path, documents_store=armazem.url) as endereco:
        entrada = httpx2.post(f"{endereco}/api/auth/login", json={"email": GESTOR, "password": "demo"}).json()
        with httpx2.Client(headers={"Authorization": f"Bearer {entrada['token']}"}, timeout=50) as c:
            r = c.post(
                f"{endereco}/api/uploads",
                data={"entidade": "patrimonio", "entidade_id": str(bem)},
                files={"arquivo": ("a.pdf", grande)},
            )
            (papel,) = r.json()["items"]
            armazem.proxy.cut_after(1_500_000)
            with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
                c.get(endereco + papel["conteudo"])
            armazem.proxy.heal()
            assert c.get(endereco + papel["conteudo"]).content == grande


async def test_the_sweep_removes_from_the_store_what_nothing_needs_and_nothing_else(
    cidade, armazem, tmp_path, monkeypatch
) -> None:
    bem = um_bem(cidade)["id"]
    async with abrir(cidade, GESTOR, documents_dir=tmp_path, documents_store=armazem.url) as c:
        (usado,) = (await enviar(c, bem, ("a.jpg", jpeg(cor="red")))).json()["items"]
        (solto,) = (await enviar(c, bem, ("b.jpg", jpeg(cor="navy")))).json()["items"]
        assert (await c.delete(f"/api/uploads/{solto['id']}")).status_code == 204
        orfao = f"ab/{'ab' * 32}"
        armazem.store.put(orfao, b"of a request that was killed before its COMMIT")
        servico = c._transport.app.state.service
        pastas = {0xAB, *(int(item["sha256"][:2], 16) for item in (usado, solto))}
        await varredura.sweep(servico, folders=pastas)
        assert len(armazem.chaves()) == 5, "younger than a day, and what a restore may need"
        monkeypatch.setattr("sispat.documentos.sweep._DAY", -3600.0)
        await varredura.sweep(servico, folders=pastas)
        assert armazem.chaves() == sorted(f"{usado['sha256'][:2]}/{usado['sha256']}{fim}" for fim in ("", ".small"))
        armazem.proxy.stop()
        await varredura.sweep(servico, folders=range(2))  # put off, and said in the log


async def test_the_folder_is_moved_into_the_store_compared_and_read_meanwhile(cidade, armazem, tmp_path) -> None:
    bem, fora = um_bem(cidade)["id"], {"AWS_ACCESS_KEY_ID": "chave", "AWS_SECRET_ACCESS_KEY": "segredo"}
    async with abrir(cidade, GESTOR, documents_dir=tmp_path) as c:
        itens = (await enviar(c, bem, ("a.jpg", jpeg(cor="red")), ("b.pdf", pdf()))).json()["items"]
    pasta, danificado = FolderStore(tmp_path), bytes.fromhex("cd" * 32)
    pasta.path(danificado).parent.mkdir(exist_ok=True)
    pasta.path(danificado).write_bytes(b"not what its name says")

    def mover(*opcoes: str) -> Any:
        return por_dentro(
            "documentos", "mover", *opcoes, SISPAT_DOCUMENTS_DIR=str(tmp_path), SISPAT_DOCUMENTS_STORE=armazem.url,
            SISPAT_DATA_DIR=str(tmp_path / "dados"), **fora,
        )  # fmt: skip

    async def ler(onde: dict[str, Any]) -> list[bool]:
        async with abrir(cidade, GESTOR, **onde) as c:
            lidos = [(await c.get(item["conteudo"])).content for item in itens]
        return [hashlib.sha256(lido).hexdigest() == item["sha256"] for lido, item in zip(lidos, itens, strict=True)]

    no_armazem = {"documents_dir": tmp_path, "documents_store": armazem.url}
    assert await ler(no_armazem) == [True, True], "not moved yet, and shown from the folder"
    async with abrir(cidade, GESTOR, **{**no_armazem, "documents_dir": tmp_path / "outra"}) as c:
        r = await c.get(itens[0]["conteudo"])
        assert (r.status_code, r.json()["code"]) == (503, "conteudo-ausente"), "another machine, too early"
        assert "ainda estão sendo levados ao armazém" in r.json()["detail"]
        pagina = await c.get(f"/documentos/{itens[0]['id']}")
        assert (pagina.status_code, "ainda estão sendo levados ao armazém" in pagina.text) == (503, True)
    armazem.store.put(f"{itens[0]['sha256'][:2]}/{itens[0]['sha256']}", b"half of an earlier move")
    r = mover("--manter")
    assert (r.returncode, "2 documentos levados" in r.stdout, str(pasta.path(danificado)) in r.stderr) == (
        1,
        True,
        True,
    ), r
    assert all(pasta.path(bytes.fromhex(item["sha256"])).exists() for item in itens), "kept"
    assert await ler({**no_armazem, "documents_dir": tmp_path / "outra"}) == [True, True], "another machine"
    r = mover()
    assert (r.returncode, "2 já estavam lá" in r.stdout) == (1, True), r
    assert [p.name for p in tmp_path.rglob("*") if len(p.name) > 60] == ["cd" * 32], "what is damaged stays"
    pasta.path(danificado).unlink()
    assert mover().returncode == 0
    assert len(armazem.chaves()) == 3, "a photo, its small picture, and a paper"


async def test_a_move_that_the_store_interrupts_loses_nothing_and_goes_on(cidade, armazem, tmp_path) -> None:
    from esteio.backup.store import StoreError, open_store
    from sispat.kernel.files.moving import move

    pasta = FolderStore(tmp_path)
    conteudos = [os.urandom(100) for _ in range(20)]
    for conteudo in conteudos:
        caminho = pasta.path(hashlib.sha256(conteudo).digest())
        caminho.parent.mkdir(exist_ok=True)
        caminho.write_bytes(conteudo)
    caido = False

    def cortar(feito: int, _de: int) -> None:
        nonlocal caido
        if feito == 128 and not caido:
            caido = True
            armazem.proxy.stop()

    with pytest.raises(StoreError):
        move(pasta, open_store(armazem.url, timeout=1.0, attempts=1), keep=False, progress=cortar)
    armazem.proxy.start()
    move(pasta, open_store(armazem.url), keep=False)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    for conteudo in conteudos:
        sha256 = hashlib.sha256(conteudo).hexdigest()
        assert armazem.store.range(f"{sha256[:2]}/{sha256}", 0, 100) == conteudo


@pytest.mark.parametrize(
    ("valor", "motivo"), [("/srv/documentos", "deve começar com"), ("s3://a:b@balde/x", "***@balde")]
)
def test_an_address_that_is_no_store_is_refused(valor: str, motivo: str, tmp_path) -> None:
    r = por_dentro("documentos", "mover", SISPAT_DOCUMENTS_STORE=valor, SISPAT_DATA_DIR=str(tmp_path))
    assert (r.returncode != 0, motivo in r.stderr) == (True, True), r.stderr


def test_moving_without_a_store_says_what_to_set(tmp_path) -> None:
    r = por_dentro("documentos", "mover", SISPAT_DATA_DIR=str(tmp_path))
    assert (r.returncode, "SISPAT_DOCUMENTS_STORE não está definida" in r.stderr) == (1, True), r.stderr
