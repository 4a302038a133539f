"""Make docs/imagens/fotos-*.png, the pictures of docs/how-to/fotos-e-documentos.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/fotos_e_documentos.py
"""

from __future__ import annotations

import io

from arquivos import pdf
from cidade import MESA, TELEFONE, cidade, entrar_como_gestor, guardar
from PIL import Image, ImageDraw
from playwright.sync_api import Page


def notebook() -> bytes:
    """A drawing that stands for the photo of an asset with its plate."""
    imagem = Image.new("RGB", (1200, 900), "#c9b79c")
    desenho = ImageDraw.Draw(imagem)
    desenho.rounded_rectangle((250, 120, 950, 560), 24, "#2b2f36")
    desenho.rectangle((280, 150, 920, 530), "#7fa6d6")
    desenho.polygon(((200, 740), (1000, 740), (950, 570), (250, 570)), "#4a4f57")
    desenho.rounded_rectangle((720, 655, 900, 715), 8, "#f4f4f4")
    desenho.text((745, 670), "000017", "#111111", font_size=36)
    saida = io.BytesIO()
    imagem.save(saida, "JPEG")
    return saida.getvalue()


def fotografar(pagina: Page) -> None:
    """A photo from the phone, the invoice, and the card with both."""
    entrar_como_gestor(pagina)
    pagina.goto("/patrimonios?q=notebook")
    pagina.locator("tbody .plaqueta").first.click()
    enviar(pagina, "frente.jpg", notebook(), "Frente, com a plaqueta")
    pagina.get_by_role("link", name="Anexar").click()
    pagina.get_by_label("Descrição do documento").fill("Nota da compra")
    pagina.get_by_role("heading", name="Anexar").evaluate("e => scrollTo(0, e.getBoundingClientRect().top - 20)")
    guardar("fotos-anexar", pagina.screenshot())
    pagina.go_back()
    enviar(pagina, "nota-1234.pdf", pdf(), "Nota da compra", "Nota fiscal")
    pagina.set_viewport_size(MESA)
    titulo = pagina.get_by_role("heading", name="Fotos e documentos")
    titulo.evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 60)")
    pagina.get_by_role("img", name="Frente, com a plaqueta").evaluate("foto => foto.decode()")
    guardar("fotos-ficha", pagina.screenshot())


def enviar(pagina: Page, nome: str, conteudo: bytes, descricao: str, tipo: str = "") -> None:
    """Attach one file by the form."""
    pagina.get_by_role("link", name="Anexar").click()
    pagina.get_by_label("Arquivos").set_input_files({"name": nome, "mimeType": "", "buffer": conteudo})
    pagina.get_by_label("Descrição do documento").fill(descricao)
    if tipo:
        pagina.get_by_role("radio", name=tipo).check()
    pagina.get_by_role("button", name="Anexar", exact=True).click()
    pagina.get_by_text("Arquivos anexados.").wait_for()


if __name__ == "__main__":
    with cidade(TELEFONE) as (pagina, _):
        fotografar(pagina)
