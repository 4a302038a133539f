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
        assert pagina.get_by_role("heading", level=2).count() == 8
        assert pagina.evaluate("document.documentElement.scrollWidth") == 360, "tables scroll by themselves"
        pagina.get_by_role("link", name="90d").click()
        pagina.wait_for_url("**/operacao?window=90d")
