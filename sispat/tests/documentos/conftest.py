"""An object store of this machine, behind a proxy that can be cut; and the application once for each place of documents."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from aplicacao import DOCUMENTOS, abrir

from esteio.backup.store import Ranged, open_store
from esteio.postgres import Dsn
from esteio.testing import FlakyProxy

_numeros = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Armazem:
    """A bucket of its own for a test; `proxy` is the way to it."""

    url: str
    proxy: FlakyProxy
    store: Ranged

    def chaves(self) -> list[str]:
        """What is in it."""
        return [each.key for each in self.store.list()]


@pytest.fixture(scope="session")
def _s3() -> Iterator[int]:
    """One S3 for all tests."""
    from moto.server import ThreadedMotoServer  # only tests that speak to it wait for moto

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    servidor = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    servidor.start()
    yield servidor.get_host_and_port()[1]
    servidor.stop()


@pytest.fixture
def armazem(_s3: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Armazem]:
    """An empty bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "chave")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "segredo")
    bucket = f"documentos-{next(_numeros)}"
    assert httpx2.put(f"http://127.0.0.1:{_s3}/{bucket}").status_code == 200
    with FlakyProxy(("127.0.0.1", _s3)) as proxy:
        url = f"s3://{bucket}/arquivos?region=us-east-1&endpoint=http://127.0.0.1:{proxy.address[1]}"
        direto = open_store(f"s3://{bucket}/arquivos?region=us-east-1&endpoint=http://127.0.0.1:{_s3}", attempts=1)
        assert isinstance(direto, Ranged)
        yield Armazem(url, proxy, direto)


@dataclass(frozen=True, slots=True)
class Lugar:
    """Where documents lie in a test: in the folder, or in the object store."""

    armazem: Armazem | None

    def guardados(self, sha256: str) -> list[str]:
        """The names of what is kept of a content."""
        if self.armazem is not None:
            return sorted(chave.rpartition("/")[2] for chave in self.armazem.chaves() if sha256 in chave)
        return sorted(p.name for p in (DOCUMENTOS / sha256[:2]).iterdir() if sha256 in p.name)


@pytest.fixture(params=["pasta", "armazem"])
def lugar(request: pytest.FixtureRequest) -> Lugar:
    """Each place, one after the other."""
    return Lugar(request.getfixturevalue("armazem") if request.param == "armazem" else None)


@pytest.fixture
def em_cada_lugar(cidade: Dsn, lugar: Lugar) -> Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]:
    """As `cliente`, with documents in `lugar`."""
    onde = {"documents_store": lugar.armazem.url} if lugar.armazem else {}
    return lambda email=None, **ajustes: abrir(cidade, email, **{**onde, **ajustes})


@pytest.fixture
def pastas(tmp_path: Path) -> tuple[Path, Path]:
    """The folders of two machines."""
    return tmp_path / "a", tmp_path / "b"
