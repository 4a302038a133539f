"""Make the pictures of docs/how-to/termos.md and etiquetas.md: real pages and a real paper over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/papeis.py
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pypdfium2
from cidade import cidade, entrar_como_gestor, guardar
from PIL import Image
from playwright.sync_api import Page

BRASAO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 72"><path d="M4 4h52v34c0 18-14 26-26 30C18 64 4 56 4 38z"
fill="#0c326f"/><path d="M4 24h52v12H4z" fill="#ffcd07"/><circle cx="30" cy="14" r="6" fill="#fff"/></svg>"""


def folha(pdf: bytes) -> bytes:
    """The first page of a PDF, as a picture."""
    document = pypdfium2.PdfDocument(pdf)
    drawn = io.BytesIO()
    document[0].render(scale=1.1).to_pil().convert("L").save(drawn, format="PNG", optimize=True)
    return drawn.getvalue()


def com_menos_cores(imagem: bytes) -> bytes:
    """A picture of many QR codes, whose blurred edges would else make most of its size."""
    drawn = io.BytesIO()
    Image.open(io.BytesIO(imagem)).convert("RGB").quantize(48).save(drawn, format="PNG", optimize=True)
    return drawn.getvalue()


def fotografar(pagina: Page) -> None:
    """A termo issued, printed and confirmed; labels."""
    entrar_como_gestor(pagina)
    pagina.goto("/agentes?q=maria")
    pagina.locator("tbody a").first.click()
    pagina.get_by_role("button", name="Emitir termo de responsabilidade").click()
    pagina.get_by_role("heading", name="Quem assina").wait_for()
    pdf = pagina.context.request.get(f"{pagina.url.partition('?')[0]}/pdf").body()
    guardar("termo-papel", folha(pdf))
    pagina.reload()
    guardar("termo-ficha", pagina.screenshot())
    pagina.get_by_role("link").filter(has=pagina.locator("code")).first.click()
    guardar("termo-conferido", pagina.screenshot())
    pagina.goto("/etiquetas?situacao=em_manutencao&todos_da_busca=1&formato=a4-21")
    pagina.locator("img.folha").evaluate("imagem => imagem.decode()")
    guardar("etiquetas", com_menos_cores(pagina.screenshot()))


def main() -> None:
    """Serve the city with its arms, and take the pictures."""
    with tempfile.NamedTemporaryFile("w", suffix=".svg") as brasao:
        brasao.write(BRASAO)
        brasao.flush()
        ajustes = {
            "city_arms": Path(brasao.name),
            "click_signing": True,
            "public_url": "https://patrimonio.exemplo.gov.br",
        }
        with cidade(**ajustes) as (pagina, _):
            fotografar(pagina)


if __name__ == "__main__":
    main()
