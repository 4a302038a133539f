"""Files in a real browser: how far they are is shown, what is refused loses nothing, a photo is seen on the card."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from arquivos import jpeg, pdf
from test_navegador_acessivel import problemas

pytestmark = pytest.mark.browser


def test_a_photo_is_attached_after_a_file_was_refused_and_what_was_typed_and_chosen_stays(
    aba,
    axe: str,
    tmp_path: Path,
) -> None:
    from playwright.sync_api import expect

    foto, pagina_html = tmp_path / "frente.jpg", tmp_path / "falsa.jpg"
    foto.write_bytes(jpeg(1200, 900))
    pagina_html.write_bytes(b"<!doctype html>" + bytes(600))
    with aba("gestor", viewport={"width": 390, "height": 844}, color_scheme="light", reduced_motion="reduce") as pagina:
        pagina.goto("/patrimonios?situacao=em_uso")
        pagina.goto(re.search(r'"(/patrimonios/[0-9a-f-]{36})"', pagina.content())[1])
        pagina.get_by_role("link", name="Anexar").click()
        expect(pagina.get_by_label("Ou tire uma foto agora")).to_have_attribute("capture", "environment")
        assert problemas(pagina, axe) == []
        pagina.get_by_label("Descrição do documento").fill("Frente, com a plaqueta")
        pagina.get_by_label("Arquivos").set_input_files(pagina_html)
        pagina.get_by_role("button", name="Anexar", exact=True).click()
        expect(pagina.get_by_role("alert")).to_contain_text("página (HTML)")
        expect(pagina.get_by_label("Descrição do documento")).to_have_value("Frente, com a plaqueta")
        assert pagina.get_by_label("Arquivos").evaluate("campo => campo.files.length") == 1, "it is still chosen"

        pagina.context.set_offline(True)
        pagina.get_by_label("Arquivos").set_input_files(foto)
        pagina.get_by_role("button", name="Anexar", exact=True).click()
        expect(pagina.get_by_role("alert")).to_contain_text("A conexão caiu")
        pagina.context.set_offline(False)
        pagina.get_by_role("button", name="Anexar", exact=True).click()
        expect(pagina.get_by_role("status").first).to_contain_text("Arquivos anexados")
        # The main photo is also on top of the card.
        imagem = pagina.get_by_role("img", name="Frente, com a plaqueta").last
        imagem.scroll_into_view_if_needed()
        expect(imagem).to_have_js_property("complete", True)
        assert imagem.evaluate("foto => foto.naturalWidth") == 320
        assert problemas(pagina, axe) == []

        grande = tmp_path / "grande.pdf"
        grande.write_bytes(pdf() + bytes(21 << 20))
        pagina.get_by_role("link", name="Anexar").click()
        pagina.get_by_label("Arquivos").set_input_files(grande)
        pagina.get_by_role("button", name="Anexar", exact=True).click()
        expect(pagina.get_by_role("alert")).to_contain_text("grande demais; o limite é 20 MB. Nada foi enviado.")
