"""The public page says whether the service works, and nothing of its inside; badge and summary say the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx2
import pytest
from starlette.applications import Starlette

from esteio.health import Check, HistoryReader, Monitor, Status, Unwell
from esteio.health._history import History, Observation
from esteio.health.series import SERVICE, State
from esteio.maintenance import Maintenance
from esteio.web.status_page import status_routes

INSIDE = ("db:x", "host-17", "10.0.0.1")


def monitor(status: Status = Status.PASS, asked: list[int] | None = None) -> Monitor:
    async def probe() -> float:
        if asked is not None:
            asked.append(1)
        if status is Status.PASS:
            return 1.0
        raise Unwell("host-17 at 10.0.0.1 does not answer", status=status)

    return Monitor([Check("db:x", probe, cache=0.0)])


def history(path: Path, states: Sequence[State]) -> HistoryReader:
    """One state after the other, each for ten minutes until now."""
    written, now = History(path, gap=700), time.time()
    for number, state in enumerate([*states, states[-1]]):
        at = now - 600 * (len(states) - number)
        written.observe(Observation(at, {}, {SERVICE: (state, "db:x: host-17"), "db:x": (state, "10.0.0.1")}))
    written.close()
    return HistoryReader(path)


async def answers(
    *arguments: object, headers: dict[str, str] | None = None, **options: object
) -> list[httpx2.Response]:
    app = Starlette(routes=status_routes(*arguments, **options))  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x", headers=headers) as client:
        return [await client.get(path) for path in ("/status", "/status/badge.svg", "/health/summary.json")]


@pytest.mark.parametrize(
    ("status", "states", "sentence", "state"),
    [
        (Status.PASS, [State.UP], "The service is up.", "up"),
        (Status.WARN, [State.UP, State.DEGRADED], "The service is up.", "up"),
        (Status.FAIL, [State.UP, State.DOWN, State.DOWN], "The service is down since", "down"),
        (Status.FAIL, [State.UP], "The service is down.", "down"),
    ],
    ids=["up", "degraded is up", "down", "down for a moment"],
)
async def test_the_sentence_the_badge_and_the_summary_say_the_same_and_nothing_of_the_inside(
    tmp_path: Path, status: Status, states: list[State], sentence: str, state: str
) -> None:
    page, badge, summary = await answers(monitor(status), history(tmp_path / "h", states))
    assert [each.status_code for each in (page, badge, summary)] == [200] * 3
    assert sentence in page.text
    ET.fromstring(badge.text)
    assert f"status: {state}" in badge.text
    document = summary.json()
    assert document["status"] == state
    assert set(document) == {"status", "since", "until", "updated", "availability", "observed"}
    assert set(document["availability"]) == {"24h", "7d", "30d", "90d"}
    assert (document["since"] is not None) == (sentence != "The service is down.")
    for inside in INSIDE:
        assert inside not in page.text + badge.text + summary.text


async def test_availability_is_of_the_observed_time_and_outages_are_listed(tmp_path: Path) -> None:
    states = [State.UP, State.UP, State.DOWN, State.DEGRADED, State.MAINTENANCE, State.UNKNOWN, State.UP]
    page, _, summary = await answers(monitor(), history(tmp_path / "h", states))
    assert summary.json()["availability"]["24h"] == pytest.approx(80.0, abs=0.01), "40 of 50 min"
    assert summary.json()["observed"]["24h"] == pytest.approx(100 * 60 / 1440, abs=0.2), "with 10 of maintenance"
    assert "1 outages, 10 min down" in page.text.replace("10.0 min", "10 min")
    assert page.text.count("<li>") == 1


async def test_under_maintenance_it_says_so_and_until_when_and_without_history_what_it_knows(tmp_path: Path) -> None:
    switch = Maintenance(tmp_path / "m")
    switch.turn_on("db:x moves to host-17", until=datetime.now().astimezone() + timedelta(hours=1))
    page, _, summary = await answers(monitor(Status.FAIL), maintenance=switch)
    assert "closed for maintenance since" in page.text
    assert "expected to end at" in page.text
    assert "no history yet" in page.text
    assert summary.json()["until"]
    assert "host-17" not in page.text
    portuguese, *_ = await answers(monitor(), headers={"Accept-Language": "pt-BR"})
    assert "O serviço está no ar." in portuguese.text


async def test_many_who_ask_cost_one_look_and_caches_may_keep_the_answer() -> None:
    asked: list[int] = []
    app = Starlette(routes=status_routes(monitor(asked=asked)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as client:
        for _ in range(20):
            first = await client.get("/health/summary.json")
        again = await client.get("/health/summary.json", headers={"If-None-Match": first.headers["etag"]})
        style = await client.get("/status/page.css")
    assert len(asked) == 1
    assert again.status_code == 304
    assert "max-age" in first.headers["cache-control"]
    assert first.headers["access-control-allow-origin"] == "*"
    assert style.status_code == 200
