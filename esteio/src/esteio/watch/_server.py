"""What a watcher answers: everybody the page, a document and badges; jobs by their keys; other watchers by the secret.

| route | what it is |
|---|---|
| `GET /` | the status page |
| `GET /summary.json` | the same for programs |
| `GET /badge/NAME.svg` | one state in two words |
| `GET /health` | 200 as long as this watcher looks: for whoever watches it |
| `GET`, `HEAD`, `POST` of `/ping/KEY`, or with `/start`, `/fail`, `/EXIT-CODE` | a job reports, with its text as the body |
| `POST /peer` | another watcher asks |

Promises: nothing that is asked here holds up a probe; pages are made by a thread, at most every few seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from esteio.alert.incidents import uptime
from esteio.health import HistoryReader
from esteio.health.series import State
from esteio.watch._engine import Engine
from esteio.watch._heartbeat import Signal
from esteio.watch._page import DAYS, Past, page
from esteio.watch._peers import SIGNATURE, answered, asked
from esteio.watch._sight import Seen
from esteio.web.operations._words import LANGUAGES
from esteio.web.status_page._badge import badge

__all__ = ["application"]

_KEPT = 5.0  # seconds that a page is shown again; a change of a state makes a new one at once
_PAST_KEPT = 15.0  # seconds that what the history says is believed, unless a state has changed
_FRESH = 30.0  # seconds without a look, after which nothing is known
_LONGEST = 10_000  # bytes of what a job says, as Healthchecks keeps them
_SHOWN = 400  # characters of it in a notice
_BODY = 200_000  # bytes of a question
_CSP = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NEVER = {"Cache-Control": "no-store"}
_DAY = 86_400.0


def application(engine: Engine, history: HistoryReader) -> Starlette:
    """The routes over what `engine` sees and `history` remembers."""
    answers = _Answers(engine, history)
    return Starlette(
        routes=[
            Route("/", answers.page),
            Route("/page.css", answers.sheet),
            Route("/summary.json", answers.summary),
            Route("/badge/{name}.svg", answers.badge),
            Route("/health", answers.health),
            Route("/ping/{key}", answers.ping, methods=["GET", "HEAD", "POST"]),
            Route("/ping/{key}/{signal}", answers.ping, methods=["GET", "HEAD", "POST"]),
            Route("/peer", answers.peer, methods=["POST"]),
        ],
    )


class _Answers:
    def __init__(self, engine: Engine, history: HistoryReader) -> None:
        self._engine = engine
        self._history = history
        # Looked up by a digest, so that how long it takes says nothing of a key.
        self._jobs = {_digest(job.key): job for job in engine.jobs.values()}
        self._style = files("esteio.web.operations").joinpath("page.css").read_bytes()
        self._page: tuple[object, float, str] | None = None
        self._making = asyncio.Lock()
        self._past: tuple[float, dict[str, Past]] | None = None

    async def page(self, _: Request) -> Response:
        async with self._making:  # one is made for all who wait
            key = tuple((name, seen.shown) for name, seen in self._engine.sight.seen.items())
            made = self._page
            if made is None or made[0] != key or time.monotonic() - made[1] > _KEPT:
                changed = made is None or made[0] != key
                html = await asyncio.to_thread(self._made, changed)
                made = self._page = (key, time.monotonic(), html)
        headers = {"Content-Security-Policy": _CSP, "X-Content-Type-Options": "nosniff", **_NEVER}
        return Response(made[2], media_type="text/html; charset=utf-8", headers=headers)

    def _made(self, changed: bool) -> str:
        sight, watch = self._engine.sight, self._engine.config.watch
        return page(
            sight, self._engine.subjects, self._remembered(sight.at, changed), watcher=watch.name, title=watch.title,
            language=watch.language, zone=ZoneInfo(watch.timezone),
        )  # fmt: skip

    def _remembered(self, now: float, changed: bool) -> dict[str, Past]:
        if changed or self._past is None or time.monotonic() - self._past[0] > _PAST_KEPT:
            intervals = self._history.intervals(now - DAYS * _DAY, now)
            self._past = (
                time.monotonic(),
                {
                    name: Past(each, [uptime(days * _DAY, now, each) for days in (1, DAYS)])
                    for name, each in intervals.items()
                },
            )
        return self._past[1]

    async def sheet(self, _: Request) -> Response:
        return Response(self._style, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    async def summary(self, _: Request) -> Response:
        sight = self._engine.sight
        document = {
            "watcher": self._engine.config.watch.name,
            "updated": datetime.fromtimestamp(sight.at, UTC).isoformat(timespec="seconds"),
            "isolated": sight.isolated,
            "states": {name: seen.shown.value for name, seen in sight.seen.items()},
        }
        return JSONResponse(document, headers={"Access-Control-Allow-Origin": "*", **_NEVER})

    async def badge(self, request: Request) -> Response:
        name = request.path_params["name"]
        subject = next((each for each in self._engine.subjects if each.name == name), None)
        if subject is None:
            return PlainTextResponse("nothing of this name is watched\n", 404)
        state = self._engine.sight.seen.get(name, Seen(State.UNKNOWN)).shown
        common = LANGUAGES[self._engine.config.watch.language]
        shown = State.UP if state is State.DEGRADED else state
        return Response(badge(subject.title, common.states[shown], shown), media_type="image/svg+xml", headers=_NEVER)

    async def health(self, _: Request) -> Response:
        age = time.time() - self._engine.sight.at
        return PlainTextResponse("watching\n" if age < _FRESH else "not watching\n", 200 if age < _FRESH else 503)

    async def ping(self, request: Request) -> Response:
        job = self._jobs.get(_digest(request.path_params["key"]))
        signal = _signal(request.path_params.get("signal", ""))
        if job is None or signal is None:
            return PlainTextResponse("no such heartbeat\n", 404)
        text = await _text(request)
        await self._engine.receive(job, signal, text)
        return PlainTextResponse("OK\n")

    async def peer(self, request: Request) -> Response:
        secret = self._engine.config.group.secret
        body = await _body(request, _BODY)
        found = asked(secret, request.headers.get(SIGNATURE, ""), body) if secret else None
        if found is None:
            return PlainTextResponse("the question is not signed with the secret of this watcher\n", 403)
        nonce, suspects = found
        self._engine.suspected(suspects)
        content, signature = answered(secret, nonce, self._engine.view)
        return Response(content, media_type="application/json", headers={SIGNATURE: signature, **_NEVER})


def _signal(word: str) -> Signal | None:
    if word.isdecimal() and len(word) <= 3:  # the exit code of a program
        return Signal.SUCCESS if int(word) == 0 else Signal.FAIL
    return {"": Signal.SUCCESS, "start": Signal.START, "fail": Signal.FAIL}.get(word)


async def _text(request: Request) -> str:
    return " ".join((await _body(request, _LONGEST)).decode("utf-8", "replace").split())[:_SHOWN]


async def _body(request: Request, most: int) -> bytes:
    """The first `most` bytes; the rest is left where it is."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) >= most:
            break
    return body[:most]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
