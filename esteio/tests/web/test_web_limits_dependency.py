"""Limits of single FastAPI routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import Depends, FastAPI

from esteio.limit import Limit, RateLimiter
from esteio.web import QuotaExceeded, RateLimits, Rule, limited, quota_exceeded


def application(problems: bool = True, **options: bool) -> FastAPI:
    app = FastAPI()
    limiter = RateLimiter()
    report = limited(Rule(limit=Limit(1, 3600, name="report")), limiter=limiter, **options)
    if problems:
        app.add_exception_handler(QuotaExceeded, quota_exceeded)

    @app.get("/report", dependencies=[Depends(report)])
    async def a_report() -> str:
        return "pages"

    @app.get("/other", dependencies=[Depends(report)])
    async def another() -> str:
        return "pages"

    @app.get("/free")
    async def free() -> str:
        return "free"

    app.add_middleware(RateLimits, rules=[Rule(limit=Limit(100, 60, name="all"))], limiter=limiter)
    return app


@contextlib.asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as c:
        yield c


async def test_only_its_routes_are_limited_and_they_share_the_allowance() -> None:
    async with client(application()) as c:
        first = await c.get("/report")
        denied = await c.get("/other")
        assert (await c.get("/free")).status_code == 200
    assert first.status_code == 200
    assert first.headers.get_list("ratelimit-policy") == ['"all";q=100;w=60, "report";q=1;w=3600'], "one line"
    assert len(first.headers.get_list("ratelimit")) == 1
    assert len(denied.headers.get_list("ratelimit")) == 1
    assert denied.status_code == 429
    assert denied.headers["content-type"] == "application/problem+json"
    assert denied.json()["violated-policies"] == ["report"]
    assert 3600 <= int(denied.headers["retry-after"]) <= 3961
    assert '"report";r=0' in denied.headers["ratelimit"]


async def test_without_the_handler_it_is_a_plain_429_with_the_same_fields() -> None:
    async with client(application(problems=False)) as c:
        await c.get("/report")
        denied = await c.get("/report")
    assert denied.status_code == 429
    assert "Try again in" in denied.json()["detail"]
    assert "retry-after" in denied.headers


async def test_the_problem_speaks_portuguese_to_those_who_prefer_it() -> None:
    async with client(application()) as c:
        await c.get("/report")
        denied = await c.get("/report", headers={"Accept-Language": "pt-BR"})
    assert denied.json()["title"] == "Muitas requisições"


async def test_the_older_fields_come_on_request() -> None:
    async with client(application(legacy=True)) as c:
        assert (await c.get("/report")).headers["x-ratelimit-remaining"] == "0"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_the_documentation_of_the_application_stays_whole(path: str) -> None:
    async with client(application()) as c:
        assert (await c.get(path)).status_code == 200
