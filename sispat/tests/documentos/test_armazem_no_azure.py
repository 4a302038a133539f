"""Documents in Azure, by Microsoft's emulator; and the doctor's look at a store that is well, away, or does not know us."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aplicacao import abrir
from arquivos import jpeg, pdf
from test_anexar import GESTOR, enviar, um_bem

from esteio.backup.store import open_store
from esteio.doctor import Finding, examine
from sispat.cli._doctor_documents import documents_store
from sispat.cli._doctor_words import SispatFinding, doctor_words
from sispat.documentos import sweep as varredura
from sispat.kernel.files import FolderStore
from sispat.kernel.files.moving import move
from sispat.settings import Settings

if TYPE_CHECKING:
    from conftest import Azurite


@pytest.fixture
def azure(azurite: Azurite, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The address of an empty store."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azurite.key)
    return azurite.url(request.node.name)


def no_armazem(url: str) -> list[str]:
    return [each.key for each in open_store(url).list()]


async def test_what_one_machine_keeps_in_azure_another_shows_and_the_sweep_removes(
    cidade: Any, azure: str, pastas: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bem, grande = um_bem(cidade)["id"], pdf(Extra=os.urandom(9 << 20).hex())
    async with abrir(cidade, GESTOR, documents_dir=pastas[0], documents_store=azure) as a:
        r = await enviar(a, bem, ("a.jpg", jpeg(cor="teal")), ("b.pdf", grande))
        assert r.status_code == 201, r.text
        foto, papel = sorted(r.json()["items"], key=lambda item: item["formato"])
    async with abrir(cidade, GESTOR, documents_dir=pastas[1], documents_store=azure) as b:
        assert hashlib.sha256((await b.get(foto["conteudo"])).content).hexdigest() == foto["sha256"]
        assert (await b.get(foto["miniatura"])).headers["content-type"] == "image/jpeg"
        assert (await b.get(papel["conteudo"])).content == grande, "sent in parts, read in ranges"
        r = await b.get(papel["conteudo"], headers={"Range": "bytes=100-199"})
        assert (r.status_code, r.content) == (206, grande[100:200])
        assert (await b.get("/api/health")).json()["checks"]["documents:responseTime"][0]["status"] == "pass"
        assert (await b.delete(f"/api/uploads/{papel['id']}")).status_code == 204
        monkeypatch.setattr("sispat.documentos.sweep._DAY", -3600.0)
        solto = f"ab/{'ab' * 32}"
        open_store(azure).put(solto, b"of a request that was killed before its COMMIT")
        await varredura.sweep(b._transport.app.state.service, folders={0xAB})
    usado = f"{foto['sha256'][:2]}/{foto['sha256']}"
    assert no_armazem(azure) == [usado, f"{usado}.small"], "what nothing needs is gone, the paper too"


def test_a_folder_is_moved_into_azure_and_read_back(azure: str, tmp_path: Path) -> None:
    pasta, conteudos = FolderStore(tmp_path), [os.urandom(1000) for _ in range(5)]
    for conteudo in conteudos:
        caminho = pasta.path(hashlib.sha256(conteudo).digest())
        caminho.parent.mkdir(exist_ok=True)
        caminho.write_bytes(conteudo)
    assert move(pasta, open_store(azure), keep=False).sent == 5
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    for conteudo in conteudos:
        sha256 = hashlib.sha256(conteudo).hexdigest()
        with open_store(azure).get(f"{sha256[:2]}/{sha256}") as origem:
            assert origem.read() == conteudo


def examinado(url: str, pasta: Path) -> Finding:
    (achado,) = examine(list(documents_store(Settings(documents_store=url, data_dir=pasta))), limit=40.0)
    return achado


def test_the_doctor_writes_reads_and_removes_an_object_and_says_what_is_not_allowed_without_the_secret(
    azure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert examinado(azure, tmp_path).code is SispatFinding.DOCUMENTS_STORE_SOUND
    assert no_armazem(azure) == [], "it left nothing"
    errada = base64.b64encode(b"another key" * 6).decode()
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", errada)
    achado = examinado(azure, tmp_path)
    assert achado.code is SispatFinding.DOCUMENTS_STORE_DENIED
    dito, conserto = doctor_words().finding(achado)
    assert "não deixa esta conta gravar um objeto" in dito
    assert "confira as credenciais" in conserto
    assert errada not in f"{dito} {achado.plain()}"


def test_the_doctor_says_that_a_store_is_away_or_its_bucket_is_not_there(armazem: Any, tmp_path: Path) -> None:
    assert examinado(armazem.url, tmp_path).code is SispatFinding.DOCUMENTS_STORE_SOUND
    assert armazem.chaves() == []
    achado = examinado(armazem.url.replace("s3://documentos-", "s3://nenhum-"), tmp_path)
    assert achado.code is SispatFinding.DOCUMENTS_STORE_FAILS
    assert achado.fields["action"] == "write"
    armazem.proxy.stop()
    assert examinado(armazem.url, tmp_path).code is SispatFinding.DOCUMENTS_STORE_FAILS
    assert list(documents_store(Settings(data_dir=tmp_path))) == [], "documents in a folder"
