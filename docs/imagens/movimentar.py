"""Make the pictures of docs/how-to/movimentar-bens.md and avisos-por-email.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/movimentar.py
"""

from __future__ import annotations

from cidade import cidade, entrar_como_gestor, guardar
from playwright.sync_api import Page


def fotografar(pagina: Page) -> None:
    """Several are chosen, asked for, accepted; one is written off; what is mailed."""
    entrar_como_gestor(pagina)
    pagina.goto("/patrimonios?q=notebook&situacao=em_uso")
    for marca in pagina.locator("tbody input[name=bem]").all()[-3:]:
        marca.check()
    transferir = pagina.get_by_role("button", name="Transferir os marcados")
    transferir.evaluate("e => scrollTo(0, e.getBoundingClientRect().bottom + scrollY - innerHeight + 90)")
    guardar("movimentar-marcados", pagina.screenshot())
    transferir.click()
    pagina.get_by_label("Setor de destino").select_option(index=2)
    pagina.get_by_label("Motivo").fill("Sala de informática nova")
    pagina.get_by_role("button", name="Pedir transferência").click()
    pagina.get_by_text("Transferência pedida.").wait_for()
    guardar("movimentar-transferencia", pagina.screenshot())
    pagina.goto("/patrimonios?q=notebook&situacao=em_uso&posse=proprio")
    pagina.locator("tbody .plaqueta").first.click()
    pagina.get_by_role("link", name="Dar baixa").click()
    pagina.get_by_role("link", name="Furto ou roubo").click()
    boletim = pagina.get_by_label("Boletim de ocorrência")
    boletim.evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 240)")
    guardar("movimentar-baixa", pagina.screenshot())
    pagina.goto("/meus-avisos")
    previa = pagina.get_by_role("heading", name="O que seria enviado agora")
    previa.evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 380)")
    guardar("avisos-por-email", pagina.screenshot())


if __name__ == "__main__":
    with cidade(mail_url="mailto://127.0.0.1?from=sispat@cidade.example") as (pagina, _):
        fotografar(pagina)
