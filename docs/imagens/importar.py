"""Make docs/imagens/importar-*.png, the pictures of docs/how-to/importar-planilhas.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests:sispat/tests/importacao python docs/imagens/importar.py
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from cidade import cidade, entrar_como_gestor, guardar
from planilhas import Importer, csv_bytes, registers
from playwright.sync_api import Page, ViewportSize

from esteio.postgres import Database, Dsn


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
    entrar_como_gestor(pagina)
    pagina.goto("/importacoes/nova")
    pagina.locator("input[type=file]").first.set_input_files(
        {"name": "notebooks.csv", "mimeType": "text/csv", "buffer": planilha(dsn)}
    )
    pagina.get_by_role("button", name="Enviar e conferir").click()
    pagina.get_by_role("heading", name="notebooks.csv").wait_for()
    with ThreadPoolExecutor() as outra:  # a loop of Playwright's runs in this thread
        outra.submit(asyncio.run, _conferir(dsn)).result()
    pagina.get_by_text("Baixar os erros em CSV").wait_for()
    guardar("importar-conferida", pagina.screenshot())


if __name__ == "__main__":
    with cidade(ViewportSize(width=1000, height=900)) as aberta:
        fotografar(*aberta)
