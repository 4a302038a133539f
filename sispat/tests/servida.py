"""The application on a real port, in a thread: what a browser can reach."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from aplicacao import DOCUMENTOS

from esteio.postgres import Dsn
from sispat.app import create_app
from sispat.settings import Settings

CHROMIUM = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextlib.contextmanager
def servir(dsn: Dsn, *, http: Any = "auto", **ajustes: object) -> Iterator[str]:
    """The address of the application over `dsn`, for as long as the block lasts; `http` as `uvicorn.Config` takes it."""
    escuta = socket.create_server(("127.0.0.1", 0))
    configuracao = uvicorn.Config(
        create_app(Settings(database_url=dsn, **{"cep_url": None, "documents_dir": DOCUMENTOS, **ajustes})),
        log_level="error",
        http=http,
        ws="none",
    )
    servidor = uvicorn.Server(configuracao)
    linha = threading.Thread(target=servidor.run, kwargs={"sockets": [escuta]}, daemon=True)
    linha.start()
    try:
        while not servidor.started:
            if not linha.is_alive():
                raise RuntimeError("the application did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{escuta.getsockname()[1]}"
    finally:
        servidor.should_exit = True
        linha.join(timeout=15)
        escuta.close()
