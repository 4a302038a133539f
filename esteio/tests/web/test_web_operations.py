"""The page tells the truth in one sentence, is whole without scripts, and shows what all workers measured."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from esteio.health import Check, HistoryReader, Measurements, Monitor, Sampler, Status, Unwell
from esteio.health._history import History, Observation
from esteio.health.series import HTTP, SERVICE, Family, Key, Mark, State
from esteio.maintenance import Maintenance
from esteio.policy import CircuitBreaker, CircuitState, Pipeline
from esteio.serve import lifecycle
from esteio.web.metrics import Exports
from esteio.web.operations import operations_routes

Ask = Callable[..., Any]


def check(name: str, status: Status = Status.PASS, reason: str = "no answer within 1 s", **options: Any) -> Check:
    async def probe() -> float:
        if status is Status.PASS:
            return 1.0
        raise Unwell(reason, status=status)

    return Check(name, probe, **options)


async def asked(
    checks: list[Check], history: HistoryReader | None = None, path: str = "/operations", **options: Any
) -> str:
    measurements = options.pop("measurements", None) or Measurements()
    headers = options.pop("headers", {})
    app = Starlette(routes=operations_routes(Monitor(checks), measurements, history, **options))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def verdict(page: str) -> tuple[str, str]:
    found = re.search(r'class="verdict (\w+)" role="status"><strong>(.*?)</strong>', page)
    assert found is not None
    return found[1], found[2]


async def test_the_verdict_is_one_sentence_that_names_causes_only(tmp_path: Path) -> None:
    database, page = check("db", Status.FAIL), check("page", Status.FAIL, depends_on=("db",))
    assert verdict(await asked([check("db")])) == ("well", "Everything works.")
    assert verdict(await asked([database, page], names=lambda _: {"db": "The database"})) == (
        "fail", "It does not work: The database (no answer within 1 s).",
    )  # fmt: skip
    disk = check("disk", Status.WARN, "8.0 % free <b>", essential=False)
    assert verdict(await asked([check("db"), disk])) == (
        "warn", "It works, but needs attention: disk (8.0 % free &lt;b&gt;).",
    )  # fmt: skip
    switch = Maintenance(tmp_path / "m")
    switch.turn_on("")
    assert verdict(await asked([database], maintenance=switch))[0] == "closed"
    portuguese = await asked([check("db")], headers={"Accept-Language": "pt-BR"})
    assert verdict(portuguese) == ("well", "Tudo funciona.")
    assert '<html lang="pt-BR">' in portuguese


async def test_a_history_that_stands_still_or_never_was_is_said(tmp_path: Path) -> None:
    assert "no history yet" in await asked([check("db")], HistoryReader(tmp_path / "none"))
    assert "history is turned off" in await asked([check("db")])
    History(tmp_path / "h").observe(Observation(time.time() - 3600, {}, {"db": (State.UP, "")}))
    assert "Nobody has watched since" in await asked([check("db")], HistoryReader(tmp_path / "h"))


@pytest.fixture
def filled(tmp_path: Path) -> HistoryReader:
    """Nine hours, of which one was down."""
    history, now = History(tmp_path / "h", gap=4000), time.time()
    for minute in range(540, -1, -5):
        state = State.DOWN if 120 < minute <= 180 else State.UP
        values = {"requests.rate": 10.0, "requests.errors": 0.5, "requests.p50": 5.0, "requests.p99": float(minute)}
        history.observe(Observation(now - 60 * minute, values, {SERVICE: (state, "x"), "db": (state, "x")}))
    return HistoryReader(tmp_path / "h")


@pytest.mark.parametrize("window", ["24h", "7d", "30d", "90d", "invented"])
async def test_strips_shares_and_charts_are_there_for_each_window(filled: HistoryReader, window: str) -> None:
    page = await asked([check("db")], filled, path=f"/operations?window={window}")
    shown = window if window != "invented" else "24h"
    assert f"aria-current=true>{shown}</a>" in page
    assert page.count("88.889 %") >= 8, "8 of 9 hours, in each window"
    assert "1 outages, 1.0 h down" in page.replace("60 min", "1.0 h")
    assert page.count('class="strip"') == 2
    assert page.count('class="chart"') == 3
    assert not re.search(r"(?:NaN|inf)[ \"]", page)


def measured(tmp_path: Path) -> Measurements:
    measurements = Measurements()
    for outcome, times in (("2xx", 90), ("5xx", 10)):
        for _ in range(times):
            measurements.slot.record(measurements.slot.add(Key(HTTP, "GET", outcome, "/things/{id}")), 0.02)

    def family(name: str, kind: str, *samples: Any) -> Family:
        return Family(name, kind, "", {(sample, labels): value for sample, labels, value in samples})

    pool, rule = (("database", "main"),), (("decision", "denied"), ("rule", "api"))
    state = (("pipeline", "cep"), ("policy", "breaker"), ("state", "open"))
    statement, text = (("fingerprint", "abc"),), (("fingerprint", "abc"), ("text", "select <1>"))
    families = [
        family("esteio_postgres_in_use", "gauge", ("esteio_postgres_in_use", pool, 7.0)),
        family("esteio_limit_decisions", "counter", ("esteio_limit_decisions_total", rule, 12345.0)),
        family("esteio_policy_breaker_state", "gauge", ("esteio_policy_breaker_state", state, 1.0)),
        family(
            "esteio_postgres_statement_seconds", "histogram",
            ("esteio_postgres_statement_seconds_count", statement, 4.0),
            ("esteio_postgres_statement_seconds_sum", statement, 2.0),
        ),
        family("esteio_limit_denied_keys", "text", ("denied", (("key", "a1b2c3"), ("rule", "api")), 99.0)),
        family("esteio_postgres_statement_text", "text", ("text", text, 1.0)),
    ]  # fmt: skip
    Sampler(measurements, lambda: families)._publish()
    return measurements


async def test_routes_circuits_limits_pool_statements_and_workers_are_shown(tmp_path: Path) -> None:
    page = await asked([], measurements=measured(tmp_path))
    for shown in (
        "GET /things/{id}",
        "<td>100</td><td>10</td>",
        "cep/breaker",
        "open: nothing passes",
        "12,345",
        "<code>main</code>",
    ):
        assert shown in page, shown
    assert "<code>select &lt;1&gt;</code></th><td>4</td><td>500.0 ms</td>" in page
    assert "<code>a1b2c3</code></th><td><code>api</code></td><td>99</td>" in page
    assert "<button" not in page, "nobody is permitted to give orders"


async def test_what_happened_stands_on_the_charts_and_in_a_table_and_with_its_circuit(tmp_path: Path) -> None:
    now, path = time.time(), tmp_path / "h"
    marks = [
        Mark(now - 600, "kill", "1"), Mark(now - 500, "circuit", "cep/breaker", "open"),
        Mark(now - 400, "circuit", "cep/breaker", "closed"), Mark(now - 300, "setting", "LANG"),
        Mark(now - 200, "version", "<2>"), Mark(now - 100, "roll", "2"), Mark(now - 9 * 86_400, "start"),
    ]  # fmt: skip
    History(path).observe(Observation(now, {"requests.rate": 1.0}, {}, marks))
    page = await asked([], HistoryReader(path), measurements=measured(tmp_path))
    assert page.count('<line class="mark ') == 5, "of these 24 h; that a circuit closed is in the table"
    for said in (
        "1 processes killed",
        "Setting changed: LANG",
        "New version: &lt;2&gt;",
        "2 processes replaced in order",
    ):
        assert f"{said}</title>" in page, said
        assert f"<td>{said}</td>" in page, said
    assert "<td>Circuit cep/breaker: closed: calls pass</td>" in page
    assert "open: nothing passes</small>" in page, "the circuit's own history"
    assert "The service began" not in page
    assert "The service began" in await asked([], HistoryReader(path), path="/operations?window=30d")


async def test_what_the_monitor_of_the_host_measured_is_shown_while_it_is_fresh(tmp_path: Path) -> None:
    values = {
        "host.cpu": 12.0, "host.load": 0.5, "disk:free/days left": 3.25, "replication:lag/esteio_wal": 5e6,
        "clock:offset": 0.02, "tls:certificate": 30.4,
    }  # fmt: skip
    History(tmp_path / "h").observe(Observation(time.time(), values))
    page = await asked([], HistoryReader(tmp_path / "h"), names=lambda _: {"disk:free": "Disk"})
    for shown in (
        "Processor</th><td>12 %", "Disk: days until it is full</th><td>3.2", "esteio_wal is behind by</code></th><td>5.0 MB",
        "clock:offset</th><td>0.02 s", "tls:certificate</th><td>30 d",
    ):  # fmt: skip
        assert shown in page, shown
    History(tmp_path / "old").observe(Observation(time.time() - 3600, values))
    assert "Nothing was measured in the last minutes" in await asked([], HistoryReader(tmp_path / "old"))


async def test_buttons_carry_out_orders_that_are_permitted_and_forms_of_other_sites_are_refused() -> None:
    asked_for: list[dict[str, str]] = []

    async def permit(_: Request, form: Mapping[str, str]) -> Response | str:
        asked_for.append(dict(form))
        return PlainTextResponse("no", 403) if form["token"] != "right" else "maria"

    pipeline = Pipeline("button", CircuitBreaker())
    measurements = Measurements()
    sampler = Sampler(measurements, Exports())
    app = Starlette(
        routes=operations_routes(
            Monitor([]), measurements, permit=permit, token=lambda request: request.headers.get("who")
        )
    )
    form = {"circuit": "button/button", "order": "isolate", "token": "right"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        sampler.begin()
        shown = (await client.get("/operations", headers={"who": "right"})).text
        assert 'action="/operations/circuits"' in shown
        assert 'name="token" value="right"' in shown
        assert "<form" not in (await client.get("/operations")).text, "nobody who may give orders"
        done = await client.post("/operations/circuits", data=form)
        assert (done.status_code, done.headers["location"]) == (303, "/operations")
        assert pipeline.circuit.state is CircuitState.FORCED_OPEN, "carried out before the answer"
        assert "isolated by a person" in (await client.get("/operations")).text
        refused = [
            await client.post("/operations/circuits", data=data, headers=headers)
            for data, headers in (
                (form | {"token": "wrong", "order": "reset"}, {}),
                (form | {"order": "reset"}, {"Sec-Fetch-Site": "cross-site"}),
                (form | {"order": "reset"}, {"Origin": "http://y"}),
                (form | {"order": "explode"}, {}),
                (form | {"circuit": "x" * 9000}, {}),
            )
        ]
        assert [each.status_code for each in refused] == [403, 403, 403, 422, 413]
        assert pipeline.circuit.state is CircuitState.FORCED_OPEN
        await client.post("/operations/circuits", data=form | {"order": "reset"}, headers={"Origin": "http://x"})
        sampler.end()
    assert pipeline.circuit.state is CircuitState.CLOSED
    assert [each["order"] for each in asked_for] == ["isolate", "reset", "reset"]


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ({"at": 0}, "Nobody says anything"),
        ({"active": False}, "Another machine"),
        ({"newest": "A1", "newest_age": 7200, "verified_age": 90000, "lag": 5_000_000}, "2.0 h ago</td><td>A1"),
        ({"found": [{"text": "no <store> answers"}]}, "no &lt;store&gt; answers"),
        ({"found": [{"text": "x", "texts": {"en": "in English", "pt-BR": "em português"}}]}, "<li>in English</li>"),
        ({"waits": {"the attic": 7200}}, "Log that waits for the attic</th><td>2.0 h"),
        ({"reach_from": 0.0, "reach_to": 86_400.0}, "from 1970-01-01 00:00 to 1970-01-02 00:00"),
    ],
    ids=["silent", "elsewhere", "well", "in trouble", "in the page's language", "waiting", "reachable"],
)  # fmt: skip
async def test_backups_are_shown_with_their_proof_or_as_unknown(
    tmp_path: Path, state: dict[str, Any], shown: str
) -> None:
    file = tmp_path / "operator.json"
    file.write_text(json.dumps({"at": time.time(), "active": True, "found": [], "amiss": []} | state))
    page = await asked([], backups=file)
    assert shown in page
    file.write_text("half")
    assert "Nobody says anything" in await asked([], backups=file)


async def test_it_is_whole_without_scripts_and_its_parts_have_names(filled: HistoryReader, tmp_path: Path) -> None:
    app = Starlette(routes=operations_routes(Monitor([check("db")]), measured(tmp_path), filled))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.get("/operations")
        linked = [
            (await client.get(path)).status_code
            for path in re.findall(r'(?:href|src)="(/operations/[^"]+)"', answer.text)
        ]
    assert linked == [200, 200]
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "<noscript><meta http-equiv" in answer.text
    assert " style=" not in answer.text, "the policy forbids it"
    checker = Named()
    checker.feed(answer.text)
    assert checker.open == []
    assert checker.svg
    assert all(checker.svg)


class Named(HTMLParser):
    """Which elements are left open, and whether each image has a name."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.svg: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "svg":
            self.svg.append(dict(attrs).get("aria-label"))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_who_may_not_see_it_gets_neither_page_nor_stream() -> None:
    async def allow(_: Request) -> Response | None:
        return PlainTextResponse("no", 403)

    app = Starlette(routes=operations_routes(Monitor([]), Measurements(), allow=allow))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        assert [(await client.get(f"/operations{end}")).status_code for end in ("", "/events")] == [403, 403]


async def test_the_stream_ends_when_the_worker_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Starlette(routes=operations_routes(Monitor([]), Measurements()))
    monkeypatch.setattr(lifecycle, "draining", True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.get("/operations/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("retry:")
