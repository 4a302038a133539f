"""Make docs/imagens/sispat.png: the real pages over the demo city, at a desk and on a phone, in one picture.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/gerar.py
"""

from __future__ import annotations

import base64
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from servida import CHROMIUM, servir

from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.kernel.schema import migrate

DESTINO = Path(__file__).with_name("sispat.png")
LIMITE = 300_000  # bytes
MESA, TELEFONE = {"width": 1200, "height": 800}, {"width": 390, "height": 800}
LISTA = "/patrimonios?q=notebook&sort=-data_aquisicao"

MONTAGEM = """<!doctype html><style>
body {{ margin: 0; width: 1480px; height: 960px; background: #dfe7f3; position: relative; overflow: hidden }}
img {{ position: absolute; border-radius: 10px; box-shadow: 0 12px 32px rgb(7 29 65 / 28%), 0 0 0 1px rgb(7 29 65 / 14%) }}
img.telefone {{ border-radius: 22px; border: 7px solid #071d41; box-sizing: border-box }}
</style>
<img src="{lista_mesa}" style="left: 40px; top: 40px; width: 800px">
<img src="{ficha_mesa}" style="left: 190px; top: 400px; width: 780px">
<img class="telefone" src="{lista_telefone}" style="left: 885px; top: 70px; width: 260px">
<img class="telefone" src="{ficha_telefone}" style="left: 1170px; top: 300px; width: 270px">"""


def fotografar(navegador: Browser, endereco: str, tela: dict[str, int]) -> tuple[str, str]:
    """List and card at one size, as data addresses."""
    contexto = navegador.new_context(viewport=tela, java_script_enabled=False, locale="pt-BR")
    pagina = contexto.new_page()
    pagina.goto(endereco + LISTA)
    pagina.get_by_label("E-mail").fill("gestor@demo.local")
    pagina.get_by_label("Senha").fill("demo")
    pagina.get_by_role("button", name="Entrar").click()
    lista = pagina.screenshot()
    pagina.locator("tbody .plaqueta").first.click()
    pagina.get_by_role("heading", name="Histórico").wait_for()
    ficha = pagina.screenshot()
    contexto.close()  # with two windows open, Chromium may refuse to picture one of them
    return _dados(lista), _dados(ficha)


def _dados(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def main() -> None:
    """Take the pictures and put them together."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium não está instalado: apt-get install chromium")
    banco = PostgresServer()
    try:
        banco.start()
        dsn = banco.create_database("imagens")
        migrate(dsn)
        populate(dsn, size=5000)
        with servir(dsn, city_name="Prefeitura de Boa Esperança") as endereco, sync_playwright() as navegadores:
            navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
            lista_mesa, ficha_mesa = fotografar(navegador, endereco, MESA)
            lista_telefone, ficha_telefone = fotografar(navegador, endereco, TELEFONE)
            pagina = navegador.new_page(viewport={"width": 1480, "height": 960})
            pagina.set_content(
                MONTAGEM.format(
                    lista_mesa=lista_mesa, ficha_mesa=ficha_mesa, lista_telefone=lista_telefone,
                    ficha_telefone=ficha_telefone,
                )
            )  # fmt: skip
            imagem = pagina.screenshot()
            navegador.close()
    finally:
        banco.stop()
    if len(imagem) > LIMITE:
        sys.exit(f"a imagem tem {len(imagem)} bytes; o limite é {LIMITE}. Nada foi gravado.")
    DESTINO.write_bytes(imagem)


if __name__ == "__main__":
    main()
