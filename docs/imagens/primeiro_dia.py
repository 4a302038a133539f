"""Make docs/imagens/primeiro-dia-*.png, the pictures of docs/tutorial/primeiro-dia.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/primeiro_dia.py
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from servida import CHROMIUM, servir

from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.kernel.schema import migrate

PASTA = Path(__file__).parent
LIMITE = 120_000  # bytes of one picture
TELA = {"width": 1000, "height": 640}


def guardar(pagina: Page, nome: str) -> None:
    """The page as it is now, as a small picture."""
    imagem = pagina.screenshot()
    if len(imagem) > LIMITE:
        sys.exit(f"{nome}: a imagem tem {len(imagem)} bytes; o limite é {LIMITE}.")
    (PASTA / f"{nome}.png").write_bytes(imagem)


def entrar_como_gestor(pagina: Page) -> None:
    """Sign in; the first page is shown."""
    pagina.goto("/")
    pagina.get_by_label("E-mail").fill("gestor@demo.local")
    pagina.get_by_label("Senha").fill("demo")
    pagina.get_by_role("button", name="Entrar").click()
    pagina.get_by_role("heading", name="Encontrar um bem").wait_for()


def fotografar(pagina: Page) -> None:
    """A clerk's way through the first day."""
    entrar_como_gestor(pagina)
    guardar(pagina, "primeiro-dia-inicio")
    pagina.goto("/patrimonios/novo")
    agente = pagina.get_by_role("combobox", name="Agente responsável")
    agente.fill("maria")
    pagina.get_by_role("listbox", name="Agente responsável").get_by_role("option").first.wait_for()
    agente.evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 240)")
    guardar(pagina, "primeiro-dia-cadastro")
    pagina.goto("/patrimonios?q=notebook")
    pagina.locator("tbody .plaqueta").first.click()
    pagina.get_by_role("heading", name="Histórico").wait_for()
    guardar(pagina, "primeiro-dia-ficha")


def com_a_cidade(fotografar: Callable[[Page], None]) -> None:
    """Start the service over a demo city and take the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium não está instalado: apt-get install chromium")
    banco = PostgresServer()
    try:
        banco.start()
        dsn = banco.create_database("imagens")
        migrate(dsn)
        populate(dsn, size=1000)
        with servir(dsn, city_name="Prefeitura de Boa Esperança") as endereco, sync_playwright() as navegadores:
            navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
            fotografar(navegador.new_context(viewport=TELA, locale="pt-BR", base_url=endereco).new_page())
            navegador.close()
    finally:
        banco.stop()


if __name__ == "__main__":
    com_a_cidade(fotografar)
