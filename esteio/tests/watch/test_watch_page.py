"""The status page: what it says of what is known and of what is not, and that nobody is shut out of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from watching import until

from esteio.alert.incidents import uptime
from esteio.alert.rules import Severity
from esteio.health._history import History, Observation
from esteio.health.series import Interval, State
from esteio.watch import Subject, Watcher
from esteio.watch._config import Config, Heartbeat, TcpProbe, Watch
from esteio.watch._page import DAYS, Past, page, verdict
from esteio.watch._sight import Seen, Sight
from esteio.watch._words import WORDS

NOW, DAY = 1_800_000_000.0, 86_400.0
AXE = Path(__file__).parents[3] / ".venv/axe/axe.min.js"  # brought by .ci/axe
CHROMIUM = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def subject(name: str, kind: str = "http", title: str = "") -> Subject:
    return Subject(name, title or name, kind, Severity.PAGE)


def said(sight: Sight, *names: str, language: str = "en") -> tuple[str, str]:
    return verdict(sight, [subject(name) for name in names], WORDS[language])


def of(**states: State) -> Sight:
    return Sight(NOW, {name: Seen(state) for name, state in states.items()})


def test_the_sentence_is_green_only_when_all_is_known_to_work() -> None:
    up, down, unknown, degraded = State.UP, State.DOWN, State.UNKNOWN, State.DEGRADED
    assert said(of(a=up, b=degraded), "a", "b") == ("well", "Everything works.")
    assert said(of(a=up, b=down), "a", "b") == ("fail", "1 of 2 do not work: b.")
    assert said(of(a=up, b=unknown), "a", "b") == ("unknown", "Of b nobody knows; all else works.")
    assert said(of(), "a") == ("unknown", "Nobody knows: nothing was looked at yet.")
    assert said(of(a=up), "a", "new") == ("unknown", "Of new nobody knows; all else works.")
    assert said(Sight(NOW, {"a": Seen(up)}, isolated=True), "a")[0] == "unknown"
    assert said(of(a=down), "a", language="pt-BR") == ("fail", "1 de 1 não funcionam: a.")
    closed = Sight(NOW, {"a": Seen(down, maintenance=NOW + 60)})
    assert said(closed, "a") == ("well", "Everything works."), "announced work is no outage"


def test_what_died_is_shown_with_the_last_that_is_known_and_since_when_and_no_reason_is() -> None:
    past = Past([Interval(State.UP, NOW - 3 * DAY, NOW - 7200), Interval(State.DOWN, NOW - 7200, NOW, "at 10.0.0.7")])
    past = Past(past.intervals, [uptime(days * DAY, NOW, past.intervals) for days in (1, DAYS)])
    sight = Sight(NOW, {"a": Seen(State.DOWN, "at 10.0.0.7"), "b": Seen(State.UNKNOWN)})
    found = page(
        sight, [subject("a", title="<Assets>"), subject("b"), subject("watcher:x", "watcher")], {"a": past},
        watcher="school", title="", language="pt-BR", zone=ZoneInfo("America/Sao_Paulo"),
    )  # fmt: skip
    assert "15/01/2027 03:00" in found, "since when"
    assert found.count("15/01/2027 03:00") == 2, "and last seen working"
    assert "&lt;Assets&gt;" in found
    assert "nunca" in found
    assert "10.0.0.7" not in found
    assert "24 h: 91,667 %; 90 dias: 97,222 % de 3,0 d" in found
    assert 'class="dot up"' not in found
    assert "<script" not in found
    assert "Outros vigias" in found
    Well().feed(found)


class Well(HTMLParser):
    """Complains of an element that is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@contextmanager
def watched(folder: Path) -> Iterator[str]:
    """A watcher with a past: two probes, of which one is down and one cannot be known, and a job that never reported."""
    history, now = History(folder / "history.sqlite"), time.time()
    for back in range(40, 0, -1):
        state = State.DOWN if back in (5, 6, 30) else State.UP
        history.observe(Observation(now - 30 * back, states={"ill": (state, "refused"), "unheard": (State.UP, "")}))
    history.close()
    config = Config(
        folder / "watch.toml",
        Watch(name="escola", title="Sistemas da prefeitura", language="pt-BR", listen=("127.0.0.1", 0), directory=str(folder)),
        probes=(TcpProbe(name="ill", title="SISPAT", address=("127.0.0.1", 1), interval=1.0, retry=0.5),),
        heartbeats=(Heartbeat(name="unheard", title="Cópias de segurança", key="0123456789abcdef", every=DAY),),
    )  # fmt: skip
    watcher = Watcher(config)
    watcher.start()
    try:
        until(
            lambda: watcher.engine and watcher.engine.sight.seen.get("ill", Seen(State.UP)).state is State.DOWN, "down"
        )
        yield f"http://127.0.0.1:{watcher.port}/"
    finally:
        watcher.stop(30.0)
        assert not watcher.is_alive()


@pytest.mark.browser
def test_in_a_browser_without_scripts_on_a_phone_and_for_axe_by_day_and_by_night(chromium: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with watched(tmp_path) as url, sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        try:
            phone = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740}).new_page()
            phone.set_default_timeout(60_000)
            phone.goto(url)
            assert phone.get_by_role("status").inner_text() == "1 de 2 não funcionam: SISPAT."
            ill = phone.get_by_role("row", name="SISPAT")
            assert "fora do ar" in ill.inner_text()
            assert "agora" not in phone.locator("main").inner_text(), "nothing is seen working now"
            assert ill.get_by_role("img").get_attribute("aria-label").startswith("SISPAT, últimos 90 dias")
            assert "não se sabe" in phone.get_by_role("row", name="Cópias de segurança").inner_text()
            assert phone.locator(".dot.up").count() == 0, "nothing is green that nobody knows"
            desk = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            desk.set_default_timeout(60_000)
            refused: list[str] = []
            desk.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
            desk.goto(url)
            assert refused == [], "the page keeps to its own content security policy"
            assert desk.evaluate("document.documentElement.scrollWidth") <= 1280
            assert problems(desk, url) == []
        finally:
            browser.close()


def problems(desk: Any, url: str) -> list[str]:
    """What axe finds, by day and by night."""
    if not AXE.exists():
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"{AXE} is not there (.ci/axe brings it)")
        return []
    found = []
    for scheme in ("light", "dark"):
        context = desk.context.browser.new_context(
            viewport={"width": 360, "height": 740}, color_scheme=scheme, bypass_csp=True
        )
        page = context.new_page()
        page.goto(url)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found += page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert page.evaluate("document.documentElement.scrollWidth") == 360, "tables scroll by themselves"
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]
