"""Make docs/imagens/importar-*.png, the pictures of docs/how-to/importar-planilhas.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests:sispat/tests/importacao python docs/imagens/importar.py
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planilhas import Importer, csv_bytes, registers
from playwright.sync_api import Page, sync_playwright
from servida import CHROMIUM, servir

from esteio.postgres import Database, Dsn
from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.kernel.schema import migrate

PASTA = Path(__file__).parent
LIMITE = 120_000  # bytes of one picture
TELA = {"width": 1000, "height": 900}


def planilha(dsn: Dsn) -> bytes:
    """Thirty assets, two of them wrong."""
    of = registers(dsn)
    titulos = ["Descrição", "Marca", "Classe", "Valor", "Data de aquisição", "Setor", "Local", "Matrícula"]
    linhas = [
        [f"Notebook nº {n}", "Dell", of["classe"], "4.299,90", "15/01/2026", of["setor"], of["local"], of["matricula"]]
        for n in range(1, 31)
    ]
    linhas[4][3] = "quatro mil"
    linhas[11][6] = "Sala que não há"
    return csv_bytes([titulos, *linhas])


async def _conferir(dsn: Dsn) -> None:
    async with Database(dsn, settings={"role": "sispat_app"}, min_size=1) as db:
        await Importer(db, await db.fetch_value("select id from usuario where papel = 'gestor'")).work()


def fotografar(pagina: Page, dsn: Dsn) -> None:
    """A clerk sends a spreadsheet and sees what is wrong with it."""
    pagina.goto("/")
    pagina.get_by_label("E-mail").fill("gestor@demo.local")
    pagina.get_by_label("Senha").fill("demo")
    pagina.get_by_role("button", name="Entrar").click()
    pagina.get_by_role("heading", name="Encontrar um bem").wait_for()
    pagina.goto("/importacoes/nova")
    pagina.locator("input[type=file]").first.set_input_files(
        {"name": "notebooks.csv", "mimeType": "text/csv", "buffer": planilha(dsn)}
    )
    pagina.get_by_role("button", name="Enviar e conferir").click()
    pagina.get_by_role("heading", name="notebooks.csv").wait_for()
    with ThreadPoolExecutor() as outra:  # a loop of Playwright's runs in this thread
        outra.submit(asyncio.run, _conferir(dsn)).result()
    pagina.get_by_text("Baixar os erros em CSV").wait_for()
    imagem = pagina.screenshot()
    if len(imagem) > LIMITE:
        sys.exit(f"a imagem tem {len(imagem)} bytes; o limite é {LIMITE}.")
    (PASTA / "importar-conferida.png").write_bytes(imagem)


def main() -> None:
    """Start the service over a demo city and take the picture."""
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
            fotografar(navegador.new_context(viewport=TELA, locale="pt-BR", base_url=endereco).new_page(), dsn)
            navegador.close()
    finally:
        banco.stop()


if __name__ == "__main__":
    main()
