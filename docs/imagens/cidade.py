"""What the scripts of this folder share: a demo city that is served, a browser on it, pictures that stay small.

Debian's chromium and the development dependencies are needed; each script says how it is run from the repository's root.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, sync_playwright
from servida import CHROMIUM, servir

from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.kernel.schema import migrate

__all__ = ["MESA", "TELEFONE", "cidade", "entrar_como_gestor", "guardar"]

MESA = ViewportSize(width=1000, height=640)
TELEFONE = ViewportSize(width=390, height=760)
_PASTA = Path(__file__).parent
_LIMITE = 120_000  # bytes of one picture


@contextmanager
def cidade(tela: ViewportSize = MESA, **ajustes: Any) -> Iterator[tuple[Page, Dsn]]:
    """A browser with this screen on a demo city of 1,000 assets, and the city's database; `ajustes` are settings."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium não está instalado: apt-get install chromium")
    ajustes = {"city_name": "Prefeitura de Boa Esperança"} | ajustes
    banco = PostgresServer()
    try:
        banco.start()
        dsn = banco.create_database("imagens")
        migrate(dsn)
        populate(dsn, size=1000)
        with servir(dsn, **ajustes) as endereco, sync_playwright() as navegadores:
            navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
            yield navegador.new_context(viewport=tela, locale="pt-BR", base_url=endereco).new_page(), dsn
            navegador.close()
    finally:
        banco.stop()


def entrar_como_gestor(pagina: Page) -> None:
    """Sign in; the first page is shown."""
    pagina.goto("/")
    pagina.get_by_label("E-mail").fill("gestor@demo.local")
    pagina.get_by_label("Senha").fill("demo")
    pagina.get_by_role("button", name="Entrar").click()
    pagina.get_by_role("heading", name="Encontrar um bem").wait_for()


def guardar(nome: str, imagem: bytes) -> None:
    """Write docs/imagens/`nome`.png; the program ends where it is larger than a page of documents should load."""
    if len(imagem) > _LIMITE:
        sys.exit(f"{nome}: a imagem tem {len(imagem)} bytes; o limite é {_LIMITE}.")
    (_PASTA / f"{nome}.png").write_bytes(imagem)
