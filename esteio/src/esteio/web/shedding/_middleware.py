"""ASGI middleware that lets in what `Admission` says.

Promises: what is refused costs little, whoever is refused is told when to come back; a request that was let in is counted
until its application returns, however that ends. While nothing is refused, a request costs some microseconds and no task
or timer. WebSockets, and requests for which `classify` says None, pass untouched. With `by_head`, a server that asks for it
(`esteio.serve`) refuses at once what would be refused at once here, before the request has cost a task; any other server
serves the same requests by way of this middleware.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Sequence
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from esteio.clock import SYSTEM
from esteio.outage_log import OutageLog
from esteio.serve import EARLY_REFUSAL, EarlyAnswer
from esteio.web._measure import REFUSED, CountRefused
from esteio.web.shedding._admission import Admission, Entry, Level, SheddingLimits, Turn

__all__ = ["Shedding", "current_level"]

Classify = Callable[[Scope], int | None]
Respond = Callable[[Scope, Level, int], ASGIApp]
Answer = Callable[[Scope, Level, int], EarlyAnswer]

_logger = logging.getLogger("esteio.web.shedding")
_TICK = 0.05  # seconds; a tenth of what people notice
_RETRY_AFTER = 2  # seconds, and by chance up to as many more: who is refused together shall not come back together
_DETAIL = "There are too many requests at the moment; try again soon."

_level: ContextVar[Level | None] = ContextVar("esteio.web.shedding.level", default=None)


def current_level() -> Level | None:
    """The level of the request that is being served; None outside of one, and for one that has none."""
    return _level.get()


class Shedding:
    """`Middleware(Shedding, levels=[...], classify=...)`; one of it serves one event loop.

    `levels`: the least important first, or an `Admission` to look at from elsewhere. `classify(scope)`: the place of the
    request's level in them; None: always let in, such as a probe or a stream that lives for hours. `respond(scope, level,
    retry_after)`: the answer to a refused request, an ASGI application; by default problem details (RFC 9457). `delay()`:
    seconds that requests waited elsewhere since it was last asked, such as in a pool; it counts as the loop's own delay.

    `by_head(scope)`: as `classify`, asked by the server before anybody has looked at headers of proxies; None where that
    could matter, and for whom `respond` has to answer. `answer(scope, level, retry_after)`: what those are told.
    """

    def __init__(
        self,
        app: ASGIApp,
        levels: Sequence[Level] | Admission,
        classify: Classify,
        *,
        limits: SheddingLimits | None = None,
        respond: Respond | None = None,
        by_head: Classify | None = None,
        answer: Answer | None = None,
        delay: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.app = app
        self.admission = levels if isinstance(levels, Admission) else Admission(levels, limits or SheddingLimits())
        self._classify = classify
        self._respond = respond or _problem
        self._by_head = by_head
        self._answer = answer or _early_problem
        self._owner: object = None
        self._count_refused: CountRefused | None = None
        self._delay = delay
        self._log = OutageLog(_logger)
        self._due: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, now or when its turn comes, or refuse it."""
        if scope["type"] == "lifespan" and self._by_head is not None:
            self._offer(scope)
        place = self._classify(scope) if scope["type"] == "http" else None
        if place is None:
            await self.app(scope, receive, send)
            return
        admission, level = self.admission, self.admission.levels[place]
        entry = admission.enter(place, SYSTEM.monotonic())
        if self._due is None and not admission.idle:
            self._watch()
        try:
            if entry.turn is Turn.WAITS:
                await self._turn_of(entry)
            if entry.turn is Turn.RUNS:
                await self._served(level, scope, receive, send)
                return
        finally:
            admission.leave(entry, SYSTEM.monotonic())
        await self._respond(scope, level, self._refused(level))(scope, receive, send)

    def refuse_early(self, head: Callable[[], Scope]) -> EarlyAnswer | None:
        """An `esteio.serve.EarlyRefusal`: what would be refused at once, by the head of the request."""
        now = SYSTEM.monotonic()
        if self._by_head is None or not self.admission.presses(now):
            return None
        scope = {**head(), "app": self._owner}
        place = self._by_head(scope)
        if place is None or not self.admission.turns_away(place, now):
            return None
        if self._count_refused is not None:
            self._count_refused(scope, 503)
        level = self.admission.levels[place]
        return self._answer(scope, level, self._refused(level))

    def _offer(self, scope: Scope) -> None:
        """Tell the server, in the state of the lifespan, whom to ask; and find out who counts."""
        state = scope.get("state")
        if state is not None:
            self._owner = scope.get("app")
            state[EARLY_REFUSAL] = self.refuse_early
            self._count_refused = state.get(REFUSED)

    def _refused(self, level: Level) -> int:
        """Log it; after how many seconds to come back."""
        self._log.failed("requests refused", f"level {level.name}, limit {self.admission.limit}")
        return _RETRY_AFTER + random.randint(0, _RETRY_AFTER)  # noqa: S311 - spread, no secret

    async def _served(self, level: Level, scope: Scope, receive: Receive, send: Send) -> None:
        before = _level.set(level)
        try:
            await self.app(scope, receive, send)
        finally:
            _level.reset(before)

    @staticmethod
    async def _turn_of(entry: Entry) -> None:
        decided = asyncio.Event()
        entry.wake = decided.set
        await decided.wait()

    def _watch(self) -> None:
        self._due = SYSTEM.monotonic() + _TICK
        asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _tick(self) -> None:
        # A callback of the loop: what it is late by is what every other callback is late by.
        now, due = SYSTEM.monotonic(), self._due or 0.0
        self._due = None
        self.admission.tick(max(now - due, self._delay()), now)
        if not self.admission.idle:
            self._watch()


def _early_problem(scope: Scope, level: Level, retry_after: int) -> EarlyAnswer:
    del scope, level
    problem = {
        "type": "urn:esteio:problem:overloaded",
        "title": "Service Unavailable",
        "status": 503,
        "detail": _DETAIL,
    }
    body = json.dumps(problem).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(retry_after).encode()),
    ]
    return EarlyAnswer(503, headers, body)


def _problem(scope: Scope, level: Level, retry_after: int) -> ASGIApp:
    status, headers, body = _early_problem(scope, level, retry_after)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return answer
