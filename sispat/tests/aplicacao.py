"""The application in this process, for tests that ask it without a network."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from esteio.postgres import Dsn
from sispat.app import create_app
from sispat.settings import Settings

__all__ = ["DOCUMENTOS", "abrir"]

DOCUMENTOS = Path(tempfile.mkdtemp(prefix="sispat-documentos-"))
atexit.register(shutil.rmtree, DOCUMENTOS, ignore_errors=True)


@asynccontextmanager
async def abrir(dsn: Dsn, email: str | None = None, **ajustes: object) -> AsyncIterator[httpx2.AsyncClient]:
    """The application over `dsn`; with `email`, signed in by token."""
    # No test asks the real ViaCEP, nor leaves documents where somebody keeps theirs.
    aplicacao = create_app(Settings(database_url=dsn, **{"cep_url": None, "documents_dir": DOCUMENTOS, **ajustes}))
    transporte = httpx2.ASGITransport(aplicacao, raise_app_exceptions=False)
    async with (
        aplicacao.router.lifespan_context(aplicacao),
        httpx2.AsyncClient(transport=transporte, base_url="http://sispat.test") as cliente,
    ):
        if email is not None:
            resposta = await cliente.post("/api/auth/login", json={"email": email, "password": "demo"})
            assert resposta.status_code == 200, resposta.text
            cliente.headers["Authorization"] = f"Bearer {resposta.json()['token']}"
            cliente.cookies.clear()
        yield cliente
