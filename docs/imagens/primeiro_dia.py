"""Make docs/imagens/primeiro-dia-*.png, the pictures of docs/tutorial/primeiro-dia.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/primeiro_dia.py
"""

from __future__ import annotations

from cidade import cidade, entrar_como_gestor, guardar
from playwright.sync_api import Page


def fotografar(pagina: Page) -> None:
    """A clerk's way through the first day."""
    entrar_como_gestor(pagina)
    guardar("primeiro-dia-inicio", pagina.screenshot())
    pagina.goto("/patrimonios/novo")
    agente = pagina.get_by_role("combobox", name="Agente responsável")
    agente.fill("maria")
    pagina.get_by_role("listbox", name="Agente responsável").get_by_role("option").first.wait_for()
    agente.evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 240)")
    guardar("primeiro-dia-cadastro", pagina.screenshot())
    pagina.goto("/patrimonios?q=notebook")
    pagina.locator("tbody .plaqueta").first.click()
    pagina.get_by_role("heading", name="Histórico").wait_for()
    guardar("primeiro-dia-ficha", pagina.screenshot())


if __name__ == "__main__":
    with cidade() as (pagina, _):
        fotografar(pagina)
