"""Who reads what in which language: the choice made in the footer, then what the browser asks for, then the setting."""

from __future__ import annotations

import pytest

from sispat.kernel.i18n import using
from sispat.ui.fields import FormField

PORTUGUESE, ENGLISH = "Ir para o conteúdo", "Skip to the content"


@pytest.mark.parametrize(
    ("accepted", "setting", "shown"),
    [
        ("", "pt-BR", "pt-BR"),
        ("", "en", "en"),
        ("en-GB,en;q=0.9", "pt-BR", "en"),
        ("en;q=0.5,pt;q=0.8", "en", "pt-BR"),
        ("de,fr;q=0.5", "pt-BR", "pt-BR"),
        ("en;q=x,,;;,pt;q=-1", "en", "en"),
    ],
)
async def test_a_page_is_in_the_language_the_browser_asks_for(cliente, accepted, setting, shown) -> None:
    async with cliente(lang=setting) as http:
        page = await http.get("/entrar", headers={"Accept-Language": accepted} if accepted else {})
    assert f'<html lang="{shown}">' in page.text
    assert page.headers["content-language"] == shown
    assert (ENGLISH if shown == "en" else PORTUGUESE) in page.text


async def test_the_choice_in_the_footer_wins_and_is_kept(navegar) -> None:
    async with navegar("gestor") as person:
        before = await person.ver("/patrimonios", situacao="em_uso")
        assert before.atributos_html["lang"] == "pt-BR"
        after = await person.mandar(before.formulario("/idioma"), idioma="en")
        assert after.atributos_html["lang"] == "en"
        assert "situacao=em_uso" in after.formulario("/idioma").valores["voltar"], "back to the page it was chosen on"
        person.http.headers["Accept-Language"] = "pt-BR"
        assert (await person.ver("/")).atributos_html["lang"] == "en"


@pytest.mark.parametrize("target", ["//elsewhere.example/", "https://elsewhere.example", "/entrar/../..//x", "\\\\x"])
async def test_the_choice_leads_to_no_other_site_and_takes_only_our_languages(cliente, target) -> None:
    async with cliente() as http:
        answer = await http.post("/idioma", data={"idioma": "en", "voltar": target})
        assert answer.headers["location"].startswith("/")
        assert not answer.headers["location"].startswith("//")
        assert (await http.post("/idioma", data={"idioma": "xx"})).status_code == 422


@pytest.mark.parametrize("typed", ["1.234,56", "1.234", "1,2,3", "1,50", "12,34.5"])
def test_an_amount_in_the_other_notation_is_never_read_as_another_amount(typed) -> None:
    """A form may have been shown in Portuguese, and be sent after the person chose English."""
    field = FormField("valor", "Valor", "money")
    with using("en"):
        assert field.read("1,234.56") == "1234.56"
        assert field.read(field.text("98765.4")) == "98765.40"
        assert field.read(typed) in (typed, "1.234"), "as typed: money with three decimals is refused, too"
