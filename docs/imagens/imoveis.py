"""Make docs/imagens/imoveis-*.png, the pictures of docs/how-to/imoveis.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/imoveis.py
"""

from __future__ import annotations

from cidade import cidade, entrar_como_gestor, guardar
from playwright.sync_api import Page


def fotografar(pagina: Page) -> None:
    """The list, and the card of one that can be shown on a map."""
    entrar_como_gestor(pagina)
    pagina.goto("/imoveis?q=escola")
    pagina.get_by_role("heading", name="Imóveis").wait_for()
    pagina.evaluate("scrollTo(0, 220)")
    guardar("imoveis-lista", pagina.screenshot())
    pagina.locator("tbody .plaqueta").first.click()
    pagina.get_by_role("heading", name="Medidas e valores").evaluate(
        "e => scrollTo(0, e.getBoundingClientRect().top - 220)"
    )
    guardar("imoveis-ficha", pagina.screenshot())


if __name__ == "__main__":
    with cidade() as (pagina, _):
        fotografar(pagina)
