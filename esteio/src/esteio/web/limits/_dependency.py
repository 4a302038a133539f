"""Limits of a single FastAPI route.

Promises: `Depends(limited(Rule(...), limiter=limiter))` judges the request before the route's function runs, adds the
fields to its answer, and raises `QuotaExceeded` where it may not pass. FastAPI shows that as a plain 429; register
`quota_exceeded` for problem details: `app.add_exception_handler(QuotaExceeded, quota_exceeded)`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from esteio.limit import RateLimiter
from esteio.limit.headers import language, problem, problem_json
from esteio.web.limits._outcome import Denial, Judge, Outcome, added_to
from esteio.web.limits._rule import Rule
from esteio.web.limits._rules import RuleSet

__all__ = ["QuotaExceeded", "limited", "quota_exceeded"]


class QuotaExceeded(HTTPException):
    """429: `denial` says why."""

    def __init__(self, denial: Denial, headers: dict[str, str]) -> None:
        self.denial = denial
        super().__init__(429, problem(denial.denied, denial.retry_after)["detail"], headers)


def limited(*rules: Rule, limiter: RateLimiter, legacy: bool = False) -> Callable[[Request, Response], Awaitable[None]]:
    """A dependency for routes that these rules limit; make it once, use it on as many routes as share the allowance."""
    judge = Judge(limiter, RuleSet(rules))

    async def limit(request: Request, response: Response) -> None:
        outcome = await judge(request.scope)
        if outcome is None:
            return
        if not outcome.allowed:
            raise _refusal(outcome, legacy)
        response.raw_headers[:] = added_to(response.raw_headers, outcome.fields(legacy))

    return limit


async def quota_exceeded(request: Request, error: Exception) -> Response:
    """The exception handler for `QuotaExceeded`."""
    assert isinstance(error, QuotaExceeded)
    lang = language(request.headers.get("accept-language", ""))
    fields = {**(error.headers or {}), "Content-Language": lang, "Cache-Control": "no-store", "Vary": "accept-language"}
    body = problem_json(error.denial.denied, error.denial.retry_after, lang)
    return Response(body, 429, fields, "application/problem+json")


def _refusal(outcome: Outcome, legacy: bool) -> QuotaExceeded:
    denial = outcome.denial()
    return QuotaExceeded(denial, {name.decode(): value.decode() for name, value in outcome.fields(legacy, denial)})
