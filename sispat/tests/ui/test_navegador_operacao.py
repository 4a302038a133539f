"""The operations page in a real browser: it renews itself and is whole without scripts; axe looks at it with all others."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servida import servir
from test_navegador_acessivel import TELAS, problemas

from esteio.alert.incidents import Evidence, Incident, Source
from esteio.alert.monitor import AlertStore
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert
from esteio.health._history import History, Observation
from esteio.health.series import SERVICE, Mark, State

pytestmark = pytest.mark.browser


@pytest.fixture
def endereco(cidade, tmp_path: Path) -> Iterator[str]:
    """Where the application is, with two alerts that fire and an incident."""
    now, store = time.time(), AlertStore(tmp_path / "alerts.sqlite")
    firing = [
        Alert(name, 1.0, bad=True, bad_since=now - 60, firing_since=now - 50, reason="8 %", told=("a",))
        for name in ("disk:low", "tls:certificate")
    ]
    evidence = (Evidence(now - 400, "deploy", "2.0"),)
    incident = Incident(1, now - 360, now - 350, now - 60, 300.0, "deploy", (Source.PROBE,), evidence)
    store.save(now, {each.name: each for each in firing}, [incident], minutes=[Minute(int(now), 10_000, 5, 9)])
    store.close()
    history = History(tmp_path / "health.sqlite")
    history.observe(
        Observation(now, {"requests.rate": 1.0}, {SERVICE: (State.UP, "")}, [Mark(now - 400, "version", "2.0")])
    )
    history.close()
    with servir(cidade, data_dir=tmp_path) as onde:
        yield onde


@pytest.mark.parametrize("tela", TELAS)
def test_alerts_and_the_report_shut_nobody_out(aba, axe, tela) -> None:
    with aba("admin", viewport=TELAS[tela], color_scheme="light") as pagina:
        for caminho in ("/operacao", "/operacao/report?month=2026-01", "/operacao/report"):
            pagina.goto(caminho)
            assert problemas(pagina, axe) == [], caminho
            assert pagina.evaluate("document.documentElement.scrollWidth") <= TELAS[tela]["width"]


def test_an_alert_is_acknowledged_silenced_and_told_again_with_the_keyboard_and_without_scripts(aba) -> None:
    with aba("admin", java_script_enabled=False) as pagina:
        pagina.goto("/operacao")
        disco = "o disco está enchendo"
        pagina.get_by_role("button", name=f"Assumir: {disco}").focus()
        pagina.keyboard.press("Enter")
        pagina.get_by_text("assumido por").wait_for()
        pagina.get_by_label(f"Por quanto tempo silenciar: {disco}").select_option("480")
        pagina.get_by_role("button", name=f"Silenciar: {disco}").focus()
        pagina.keyboard.press("Enter")
        pagina.get_by_role("button", name="Encerrar: disk:low").focus()
        pagina.keyboard.press("Enter")
        # The address is the same before and after, so it is the button that tells when the new page is there.
        pagina.get_by_role("button", name="Encerrar: disk:low").wait_for(state="detached")
        pagina.get_by_role("button", name=f"Silenciar: {disco}").wait_for()


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
