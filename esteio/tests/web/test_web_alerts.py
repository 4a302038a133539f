"""The operations page shows what fires, why, and what may still fail; buttons acknowledge, silence and end silences."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from esteio.alert.incidents import Evidence, Incident, Source
from esteio.alert.monitor import Alerts, AlertStore
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert, Silence
from esteio.health import HistoryReader, Measurements, Monitor
from esteio.health._history import History, Observation
from esteio.health.series import SERVICE, Mark, State
from esteio.web.operations import health_alerts_route, operations_routes


@pytest.fixture
def alerts(tmp_path: Path) -> Alerts:
    """One alert that was told, one that another explains; an incident that goes on, one in maintenance that is over."""
    now, store = time.time(), AlertStore(tmp_path / "alerts.sqlite")
    firing = Alert(
        "postgres:down", 1.0, bad=True, bad_since=now - 60, firing_since=now - 50, reason="<gone>", told=("a",)
    )
    held = Alert("web:down", 1.0, bad=True, bad_since=now - 30, firing_since=now - 20, held="inhibited")
    deploy = Evidence(now - 400, "deploy", "2.0")
    past = Incident(1, now - 9000, now - 8990, now - 8700, 300.0, "postgres:down", (Source.ALERT,), maintenance=True)
    open_ = Incident(2, now - 360, now - 350, cause="deploy", sources=(Source.PROBE,), evidence=(deploy,))
    minute = Minute(int(now) // 60 * 60, 10_000, 5, 300)
    assert store.save(now, {each.name: each for each in (firing, held)}, [past, open_], minutes=[minute])
    store.close()
    return Alerts(tmp_path / "alerts.sqlite")


TITLES = {"postgres:down": "the database does not answer", "web:down": "the service does not answer"}


async def permit(_: Request, form: Mapping[str, str]) -> Response | str:
    return PlainTextResponse("no", 403) if form["token"] != "right" else "maria"


def client(alerts: Alerts, history: HistoryReader | None = None) -> httpx.AsyncClient:
    routes = operations_routes(
        Monitor([]), Measurements(), history, alerts=alerts, titles=lambda _: TITLES, permit=permit,
        token=lambda request: request.headers.get("who"),
    )  # fmt: skip
    app = Starlette(routes=[*routes, health_alerts_route(alerts)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")


class Balanced(HTMLParser):
    """Whether each element is closed, and which names regions, buttons and selects have."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.named: list[str | None] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("button", "select") or given.get("role") == "region":
            self.named.append(given.get("aria-label"))
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_what_fires_the_budget_and_incidents_with_cause_evidence_and_marks_are_shown(
    alerts: Alerts, tmp_path: Path
) -> None:
    now = time.time()
    marks = [Mark(now - 500, "setting", "WORKERS"), Mark(now - 100, "roll", "2"), Mark(now - 5000, "version", "1.9")]
    History(tmp_path / "h").observe(Observation(now, marks=marks))
    async with client(alerts, HistoryReader(tmp_path / "h")) as http:
        page = (await http.get("/operations")).text
    for shown in (
        "the database does not answer<small><code>postgres:down</code></small>", "<td>told</td><td>&lt;gone&gt;</td>",
        "explained by another one", "<strong>50.0 %</strong>", "<strong>-200.0 %</strong>", "going on for 6.0 min",
        "<td>deploy</td><td>probes</td><td>10 s</td>", "lasted 5.0 min; in maintenance",
    ):  # fmt: skip
        assert shown in page, shown
    [evidence] = [found for found in re.findall(r'<ul class="evidence">(.*?)</ul>', page) if "2.0" in found]
    said = re.findall(r"<li>[\d-]+ [\d:]+ (.*?)</li>", evidence)
    assert said == ["setting changed: WORKERS", "deploy: 2.0", "deploy"], "in order, marks while it lasted too"
    assert "<button" not in page, "nobody who may give orders"
    Balanced(page)


async def test_buttons_acknowledge_silence_until_an_end_and_end_silences_and_what_is_wrong_is_refused(
    alerts: Alerts,
) -> None:
    form = {"alert": "postgres:down", "order": "acknowledge", "token": "right"}
    async with client(alerts) as http:
        page = (await http.get("/operations", headers={"who": "right"})).text
        assert len(set(Balanced(page).named)) == len(Balanced(page).named), "each control has a name of its own"
        assert page.count('value="acknowledge"') == page.count('value="silence"') == 2
        done = await http.post("/operations/alerts", data=form)
        assert (done.status_code, done.headers["location"]) == (303, "/operations#alerts")
        assert [alert.acknowledged for alert in alerts.firing()] == ["maria", ""], (
            "shown before the monitor takes it over"
        )
        await http.post("/operations/alerts", data=form | {"order": "silence", "minutes": "120"})
        [silence] = alerts.silences(time.time())
        assert (silence.pattern, silence.by) == ("postgres:down", "maria")
        assert silence.until == pytest.approx(time.time() + 7200, abs=60)
        page = (await http.get("/operations", headers={"who": "right"})).text
        assert "acknowledged by maria" in page
        assert "<code>postgres:down</code></th>" in page, "the silence is listed"
        assert page.count('value="acknowledge"') == 1
        await http.post("/operations/alerts", data=form | {"order": "end-silence"})
        assert alerts.silences(time.time()) == ()
        over = await http.post("/operations/alerts", data=form | {"alert": "disk:full"})
        assert over.status_code == 303, "it recovered meanwhile"
        refused = [
            await http.post("/operations/alerts", data=form | wrong, headers=headers)
            for wrong, headers in (
                ({"token": "wrong"}, {}), ({}, {"Sec-Fetch-Site": "cross-site"}), ({"order": "explode"}, {}),
                ({"alert": ""}, {}), ({"order": "silence"}, {}), ({"order": "silence", "minutes": "10081"}, {}),
            )
        ]  # fmt: skip
    assert [each.status_code for each in refused] == [403, 403, 422, 422, 422, 422]
    assert alerts.silences(time.time()) == ()


async def test_the_year_that_the_drill_predicted_stands_beside_the_lived_one(alerts: Alerts, tmp_path: Path) -> None:
    drill, now, history = tmp_path / "drill.json", time.time(), History(tmp_path / "year", gap=4000)
    for minutes in range(90, -1, -10):
        state = State.DOWN if minutes == 30 else State.UP
        history.observe(Observation(now - 60 * minutes, states={SERVICE: (state, "")}))
    totals = {
        name: {"median": median, "low": 0.1, "high": 1234.5}
        for name, median in (("software", 0.5), ("with_changes", 34.0), ("with_site", 694.0))
    }
    good = json.dumps({"at": "2026-11-01T12:00:00+00:00", "prediction": totals})
    for content, shown in ((good, True), ("{}", False), ("half", False)):
        drill.write_text(content)
        reader = HistoryReader(history.path, gap=4000)
        app = Starlette(routes=operations_routes(Monitor([]), Measurements(), reader, alerts=alerts, drill=drill))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
            page = (await http.get("/operations")).text
        assert ("The predicted year and the lived one" in page) is shown, content
        if shown:
            assert "Software alone</th><td>0.5 min</td><td>0.1 – 1,234.5 min" in page
            assert "Predicted by the drill of 2026-11-01 12:00." in page
            assert "of 90 min observed</th><td>10.0 min" in page


async def test_each_fault_of_the_newest_drill_is_shown_and_one_that_proves_nothing_is_never_well(
    tmp_path: Path,
) -> None:
    def fault(name: str, *valid: bool, **other: object) -> dict[str, object]:
        known = {"name": name, "title": f"<{name}>", "planned": False, "why": "load-stalled" if not all(valid) else ""}
        seen = {"lost": 3, "longest_gap_s": 0.25, "mttr_s": 1.5, "detected_s": {"page": 0.4, "alert": None}}
        return known | seen | {"runs": [{"valid": each} for each in valid]} | other

    faults = [
        fault("kill", True, True, True), fault("half", True, False), fault("lies", False, False),
        fault("disk", why="only root"), fault("reload", True, planned=True), fault("endless", True, mttr_s=None),
    ]  # fmt: skip
    total = {"median": 0.5, "low": 0.1, "high": 2.0}
    prediction = dict.fromkeys(("software", "with_changes", "with_site"), total)
    drill = tmp_path / "drill" / "drill.json"
    drill.parent.mkdir()
    told = {"at": "2026-11-01T12:00:00+00:00", "prediction": prediction, "faults": faults}
    drill.write_text(json.dumps(told))
    asked: list[str] = []

    async def allow(request: Request) -> Response | None:
        asked.append(request.url.path)
        return PlainTextResponse("no", 403) if request.headers.get("who") == "nobody" else None

    app = Starlette(routes=operations_routes(Monitor([]), Measurements(), None, drill=drill, allow=allow))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        page = (await http.get("/operations")).text
        assert (await http.get("/operations/drill")).status_code == 404
        assert "/operations/drill" not in page, "there is no report yet"
        drill.with_suffix(".html").write_text("<!doctype html>the report")
        assert 'href="/operations/drill"' in (await http.get("/operations")).text
        report = await http.get("/operations/drill")
        assert (report.status_code, report.text) == (200, "<!doctype html>the report")
        assert "default-src 'none'" in report.headers["content-security-policy"]
        assert (await http.get("/operations/drill", headers={"who": "nobody"})).status_code == 403
        drill.write_text(json.dumps({**told, "faults": [{"name": "of another form"}]}))
        assert "What the drill broke" not in (await http.get("/operations")).text
    rows = {name: row for row in re.findall(r"<tr>.*?</tr>", page) for name in re.findall(r"<code>(\w+)</code>", row)}
    assert list(rows) == [each["name"] for each in faults]
    assert "3 of 5 faults are proven" in page
    assert (
        '<span class="dot pass"></span>3 of 3</td><td>3</td><td>0.25 s</td><td>1.50 s</td><td>page 0.4 s</td>'
        in rows["kill"]
    )
    assert "&lt;kill&gt;" in rows["kill"]
    assert "dot pass" not in "".join(rows[name] for name in ("half", "lies", "disk", "reload", "endless"))
    assert "1 of 2" in rows["half"]
    assert "0.25 s" in rows["half"], "what the valid run showed"
    for name in ("half", "lies"):
        assert "load-stalled" in rows[name]
        assert "problems" in rows[name]
    assert "0.25 s" not in rows["lies"]
    assert "not done<small>only root</small>" in rows["disk"]
    assert '<span class="problems">3</span>' in rows["reload"], "planned, and lost something"
    assert "not recovered" in rows["endless"]
    Balanced(page)


async def test_the_document_has_the_same_and_an_empty_or_silent_monitor_is_said(alerts: Alerts, tmp_path: Path) -> None:
    alerts.silence(Silence("disk:*", time.time() + 600, "maria", "new disk"))
    async with client(alerts) as http:
        found = (await http.get("/health/alerts")).json()
    assert [(each["name"], each["held"]) for each in found["firing"]] == [
        ("postgres:down", None),
        ("web:down", "inhibited"),
    ]
    assert [each["left"] for each in found["objectives"]] == pytest.approx([0.5, -2.0])
    assert [(each["number"], each["cause"], each["ended"] is None) for each in found["incidents"]] == [
        (2, "deploy", True), (1, "postgres:down", False),
    ]  # fmt: skip
    assert found["silences"][0]["why"] == "new disk"
    async with client(Alerts(tmp_path / "none")) as http:
        page, empty = (await http.get("/operations")).text, (await http.get("/health/alerts")).json()
    assert "Nobody decides yet" in page
    assert (empty["decidedAt"], empty["firing"], empty["objectives"][0]["left"]) == (None, [], None)
    store = AlertStore(tmp_path / "old.sqlite")
    store.save(time.time() - 3600, {})
    async with client(Alerts(tmp_path / "old.sqlite")) as http:
        silent = (await http.get("/operations")).text
    assert "Nobody has decided whether there are alerts since" in silent
    assert "No alert fires" not in page + silent, "what nobody decides is not well"
    store.save(time.time(), {})
    async with client(Alerts(tmp_path / "old.sqlite")) as http:
        assert "No alert fires" in (await http.get("/operations")).text
