"""The operations page in a real browser: it renews itself and is whole without scripts; axe looks at it with all others."""

import pytest

pytestmark = pytest.mark.browser


def test_the_page_renews_itself_and_keeps_what_somebody_reads(aba) -> None:
    with aba("admin") as pagina:
        pagina.goto("/operacao")
        pagina.evaluate("document.querySelector('main').dataset.mark = 'same'")
        antes = pagina.locator("section").last.inner_text()
        pagina.locator("section").nth(1).locator(".wide").focus()
        pagina.wait_for_function(
            "antes => [...document.querySelectorAll('section')].at(-1).innerText !== antes", arg=antes, timeout=30_000
        )
        assert pagina.evaluate("document.querySelector('main').dataset.mark") == "same", "it was not loaded anew"
        assert pagina.evaluate("document.activeElement.className") == "wide", (
            "who reads with the keyboard keeps the place"
        )


def test_without_scripts_everything_is_there_also_on_a_phone(aba) -> None:
    with aba("admin", java_script_enabled=False, viewport={"width": 360, "height": 740}) as pagina:
        pagina.goto("/operacao")
        verdict = pagina.get_by_role("status").inner_text()
        assert verdict.startswith(("Tudo funciona", "Funciona, mas precisa de atenção"))
        assert pagina.get_by_role("heading", level=2).count() == 9
        assert pagina.evaluate("document.documentElement.scrollWidth") == 360, "tables scroll by themselves"
        pagina.get_by_role("link", name="90d").click()
        pagina.wait_for_url("**/operacao?window=90d")


def test_a_circuit_is_isolated_and_reset_by_buttons_with_the_keyboard_and_without_scripts(aba) -> None:
    with aba("admin", java_script_enabled=False) as pagina:
        pagina.goto("/operacao")
        for botao, estado in (("Isolar", "isolado por uma pessoa"), ("Restabelecer", "fechado: as chamadas passam")):
            pagina.get_by_role("button", name=f"{botao} o circuito viacep/viacep").focus()
            pagina.keyboard.press("Enter")
            pagina.get_by_role("row", name="viacep/viacep").get_by_text(estado).first.wait_for()
        pagina.goto("/auditoria")
        assert "Isolou o circuito" in pagina.content()


def test_the_public_page_says_in_one_sentence_whether_it_works_to_anybody_on_a_phone(aba) -> None:
    with aba(java_script_enabled=False, viewport={"width": 360, "height": 740}) as pagina:
        pagina.goto("/situacao")
        assert pagina.get_by_role("status").inner_text() == "O serviço está no ar."
        assert pagina.evaluate("document.documentElement.scrollWidth") == 360
