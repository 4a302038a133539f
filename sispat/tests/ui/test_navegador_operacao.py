"""The operations page in a real browser: it renews itself, is whole without scripts, and nobody is shut out of it."""

import pytest
from test_navegador_acessivel import TELAS, axe, problemas  # noqa: F401 - axe is a fixture

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("tela", TELAS)
def test_axe_finds_nothing_on_the_operations_page(aba, axe, tela) -> None:  # noqa: F811
    with aba("admin", viewport=TELAS[tela], color_scheme="light", reduced_motion="reduce") as pagina:
        pagina.get_by_role("link", name="Operação").first.or_(pagina.get_by_text("Menu")).first.wait_for()
        for janela in ("24h", "90d"):
            pagina.goto(f"/operacao?window={janela}")
            assert problemas(pagina, axe) == []
        assert pagina.evaluate("document.documentElement.scrollWidth <= innerWidth"), "tables scroll by themselves"


def test_the_page_renews_itself_and_keeps_what_somebody_reads(aba) -> None:
    with aba("admin") as pagina:
        pagina.goto("/operacao")
        pagina.evaluate("document.querySelector('main').dataset.mark = 'same'")
        antes = pagina.locator("section").last.inner_text()
        pagina.locator("section").nth(1).locator(".wide").focus()
        pagina.wait_for_function(
            "antes => [...document.querySelectorAll('section')].at(-1).innerText !== antes", arg=antes
        )
        assert pagina.evaluate("document.querySelector('main').dataset.mark") == "same", "it was not loaded anew"
        assert pagina.evaluate("document.activeElement.className") == "wide", (
            "who reads with the keyboard keeps the place"
        )


def test_without_scripts_everything_is_there(aba) -> None:
    with aba("admin", java_script_enabled=False) as pagina:
        pagina.goto("/operacao")
        assert "Tudo funciona" in pagina.get_by_role("status").inner_text() or "atenção" in pagina.content()
        assert pagina.get_by_role("heading", level=2).count() == 7
        pagina.get_by_role("link", name="90d").click()
        assert "window=90d" in pagina.url
