"""The operations page in a real browser: it renews itself and is whole without scripts; axe looks at it with all others."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servida import servir
from test_navegador_acessivel import TELAS, problemas

from esteio.alert.incidents import Evidence, Incident, Source
from esteio.alert.monitor import AlertStore
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert
from esteio.drill import FaultReport, Group, Invalid, Measure, Rate, Report, Run, page
from esteio.health._history import History, Observation
from esteio.health.series import SERVICE, Mark, State
from sispat.drill.reports import report_words

pytestmark = pytest.mark.browser


def drilled(folder: Path) -> None:
    """A drill of a valid fault, of one that proves nothing and of one that cannot be done here."""
    measured = Measure(1500, 120, 40, 0, {"list": 2.5}, 4.2)
    seconds = {n: Counter(good=60, error=30, late=10) if 0 <= n < 3 else Counter(good=100) for n in range(-4, 11)}
    errors = {"ConnectError: All connection attempts failed": 90, "no answer within 5 s": 30}
    run = Run(
        "postgres-killed",
        (),
        "",
        measured,
        0.02,
        0.6,
        "fail: postgres:responseTime",
        3.1,
        errors=errors,
        seconds=seconds,
    )
    stalled = replace(run, fault="disk-full", invalid=(Invalid.STALLED,))
    faults = (
        FaultReport("postgres-killed", "O PostgreSQL é morto", planned=False, runs=(run, run, run)),
        FaultReport("disk-full", "O disco de dados fica cheio por 15 s", planned=False, runs=(run, stalled)),
        FaultReport(
            "disk-slow", "O disco do banco é lento", planned=False, runs=(), skipped="só quem é root limita um disco"
        ),
    )
    rates = (
        Rate("postgres-killed", 2, "assumed"),
        Rate("power", 4.9, "ANEEL 2024", group=Group.SITE, assumed_minutes=125),
    )
    told = Report("2026-11-29T10:00:00-03:00", faults, 100.0, {"cores": 2}, rates).as_json()
    words = report_words()
    folder.mkdir()
    (folder / "drill.json").write_text(json.dumps(told))
    (folder / "drill.html").write_text(page(told, gettext=lambda text: words.get(text, text), language="pt-BR"))


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
    drilled(tmp_path / "drill")
    with servir(cidade, data_dir=tmp_path) as onde:
        yield onde


@pytest.mark.parametrize("tela", TELAS)
def test_alerts_and_the_report_shut_nobody_out(aba, axe, tela) -> None:
    with aba("admin", viewport=TELAS[tela], color_scheme="light") as pagina:
        for caminho in ("/operacao", "/operacao/report?month=2026-01", "/operacao/report", "/operacao/drill"):
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
        assert pagina.get_by_role("heading", level=2).count() == 10
        assert pagina.get_by_role("row", name="O disco de dados").get_by_text("1 de 2").count() == 1
        assert pagina.evaluate("document.documentElement.scrollWidth") == 360, "tables scroll by themselves"
        pagina.get_by_role("link", name="Relatório do simulado").click()
        assert pagina.locator("figure").count() == 2
        assert pagina.evaluate("getComputedStyle(document.querySelector('.bad')).fontWeight") == "600", (
            "its style is let in"
        )
        pagina.go_back()
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
