"""Measures every request and WebSocket: how many, how they ended, how long they took, how many run.

Promises: a request is counted once, when its answer is whole or nobody waits for it any more, under the template of its
route - never under its path, which others choose. What ended because the client left, or because the server ended, is
`cancelled` and no error of the service. A request to no route is `(none)`; routes of mounted applications have their whole
template. What a server refused before it asked us (`REFUSED`) is a request to no route. A WebSocket is counted when it was
accepted or refused, and once more with the code it closed with. Measuring never changes a request, and costs some
microseconds. Of each bucket the newest request is remembered, as an exemplar.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from heapq import nlargest
from time import perf_counter, time
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esteio.health import Measurements, Sampler
from esteio.health.series import CANCELLED, HTTP, OTHER, WEBSOCKET, WEBSOCKET_HANDSHAKE, Family, Field, Key, Region
from esteio.web._exposition import BOUNDS, EXEMPLARS, Exemplar

__all__ = ["REFUSED", "CountRefused", "Measure", "known_method", "route_template"]

REFUSED = "esteio.web.refused"
"""In the lifespan's `state`: what counts a request that was refused by its head alone, and never came through here."""
CountRefused = Callable[[Scope, int], None]

_NO_ROUTE = "(none)"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_CLIENT_CLOSED = 499  # what some applications answer to a client that left
_MOST_ROUTES = 4096  # remembered; an application that makes routes for each request has more
_MOST_EXEMPLARS = 64  # shown of each worker, the newest ones; what one remembers has the bounds of the series
_ABNORMAL, _INTERNAL_ERROR = 1006, 1011  # RFC 6455, 7.4.1: closed without a close frame; by an unexpected condition


class Measure:
    """ASGI middleware, the outermost one. `measurements`: where; without, in this process alone.

    `sampler` begins with the application; without one, the process is measured and nothing else.
    """

    def __init__(self, app: ASGIApp, measurements: Measurements | None = None, sampler: Sampler | None = None) -> None:
        self.app = app
        self._measurements = measurements or Measurements.of_environment()
        self._sampler = sampler or Sampler(self._measurements)
        self._templates: dict[tuple[int, int], tuple[object, object, str]] = {}
        self._walked: tuple[object, list[tuple[Any, str]]] = None, []  # the last application asked, and its routes
        self._region: Region | None = None
        self._series: dict[tuple[str, str, int, int, str], int] = {}
        self._keys: dict[int, Key] = {}
        self._exemplars: dict[tuple[int, int], Exemplar] = {}
        self._sampler.include(self._exemplar_families)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure a request; with the application's life the sampler begins and ends."""
        if scope["type"] == "http":
            await self._measured(scope, receive, send)
        elif scope["type"] == "lifespan":
            self._sampler.begin()
            if (state := scope.get("state")) is not None:
                state[REFUSED] = self.count_refused
            try:
                await self.app(scope, receive, send)
            finally:
                self._sampler.end()
        elif scope["type"] == "websocket":
            await self._connected(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def count_refused(self, scope: Scope, status: int) -> None:
        """Count a request that was answered with `status` in no time, on the loop of the application."""
        region = self._own_region()
        at = self._place(region, scope, self.app, HTTP, scope["method"], _OUTCOMES[status // 100])
        region.record(at, 0.0)

    def _own_region(self) -> Region:
        region = self._measurements.slot
        if region is not self._region:  # at first, and in a forked child
            self._region, self._series, self._keys, self._exemplars = region, {}, {}, {}
            self._sampler.begin()
        return region

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        region = self._own_region()
        status, ended = 0, 0.0
        app, method = scope.get("app"), scope["method"]  # whoever comes after us may replace both

        def noting(message: Message) -> Awaitable[None]:
            nonlocal status, ended
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
            elif kind == "http.response.body" and not message.get("more_body"):
                ended = perf_counter()  # and not when the application returns: it may have work for afterwards
            return send(message)

        words = region.words
        words[Field.ACTIVE] += 1
        began = perf_counter()
        try:
            await self.app(scope, receive, noting)
        except ClientDisconnect:
            status = _CLIENT_CLOSED  # even if something was answered meanwhile: nobody read it
            raise
        except asyncio.CancelledError:
            status = status if ended else _CLIENT_CLOSED
            raise
        except BaseException:
            status = status if ended else 500  # the server says so, or cuts the answer off
            raise
        else:
            if not ended:  # neither an answer nor an error: the client was gone
                status = _CLIENT_CLOSED
        finally:
            words[Field.ACTIVE] -= 1
            seconds = (ended or perf_counter()) - began
            outcome = (
                CANCELLED if status == _CLIENT_CLOSED else _OUTCOMES[status // 100] if 100 <= status < 600 else "5xx"
            )
            at = self._place(region, scope, app or self.app, HTTP, method, outcome)
            region.record(at, seconds)
            if (state := scope.get("state")) is not None:
                self._remember(at, seconds, state)

    async def _connected(self, scope: Scope, receive: Receive, send: Send) -> None:
        region = self._own_region()
        words, app, began = region.words, scope.get("app") or self.app, perf_counter()
        accepted, code = 0.0, ""

        def count(kind: str, outcome: str, since: float) -> None:
            region.record(self._place(region, scope, app, kind, "", outcome), perf_counter() - since)

        def noting(message: Message) -> Awaitable[None]:
            nonlocal accepted, code
            kind = message["type"]
            if kind == "websocket.accept":
                accepted = perf_counter()
                words[Field.WEBSOCKETS] += 1
                count(WEBSOCKET_HANDSHAKE, "accepted", began)
            elif kind in ("websocket.close", "websocket.http.response.start"):
                code = code or close_code(message.get("code", 1000))
            return send(message)

        async def hearing() -> Message:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = code or close_code(message.get("code", 1005))
            return message

        ending = close_code(_ABNORMAL)
        try:
            await self.app(scope, hearing, noting)
        except asyncio.CancelledError:
            ending = CANCELLED
            raise
        except BaseException:
            ending = close_code(_INTERNAL_ERROR)
            raise
        finally:
            if accepted:
                words[Field.WEBSOCKETS] -= 1
                count(WEBSOCKET, code or ending, accepted)
            else:
                failed = ending == close_code(_INTERNAL_ERROR)
                count(WEBSOCKET_HANDSHAKE, "error" if failed else "refused" if code else CANCELLED, began)

    def _remember(self, at: int, seconds: float, state: Any) -> None:
        """The name by which this request is found in the logs or the traces, for the bucket that counted it."""
        label = "trace_id" if "trace_id" in state else "request_id"
        if (name := state.get(label)) is not None:
            self._exemplars[at, bisect_right(BOUNDS, seconds)] = Exemplar(label, name, seconds, time())

    def _exemplar_families(self) -> Iterable[Family]:
        newest = nlargest(_MOST_EXEMPLARS, list(self._exemplars.items()), key=lambda each: each[1].at)
        samples = {exemplar.packed(self._keys[at], bound): exemplar.seconds for (at, bound), exemplar in newest}
        return [Family(EXEMPLARS, EXEMPLARS, "", samples)] if samples else []

    def _place(self, region: Region, scope: Scope, app: object, kind: str, method: str, outcome: str) -> int:
        # FastAPI names no route that is not its own, and of an included router's the one without its prefix.
        fastapi = scope.get("fastapi")
        route = (fastapi.get("effective_route_context") if fastapi else None) or scope.get("route")
        endpoint = scope.get("endpoint")
        named = known_method(method)
        key = (kind, named, id(route), id(endpoint), outcome)
        at = self._series.get(key)
        if at is None:
            template = self._template(route, endpoint, app, scope["path"])
            series = Key(kind, named, outcome, template)
            at = self._find(region, series)
            self._keys.setdefault(at, series)
            if len(self._series) < _MOST_ROUTES:
                self._series[key] = at
        return at

    @staticmethod
    def _find(region: Region, series: Key) -> int:
        return region.find(series) or region.add(series)

    def _template(self, route: Any, endpoint: Any, app: object, path: str) -> str:
        if route is None and endpoint is None:
            return _NO_ROUTE
        key = (id(route), id(endpoint))
        known = self._templates.get(key)
        if known is None:
            if len(self._templates) >= _MOST_ROUTES:
                return OTHER
            # Both are kept, so that their ids stay theirs.
            known = self._templates[key] = (route, endpoint, self._route_template(route, endpoint, app, path))
        return known[2]

    def _route_template(self, route: Any, endpoint: Any, app: object, path: str) -> str:
        # To walk 600 routes takes 6 ms, which each of them would pay when it is asked for the first time.
        last, walked = self._walked
        if last is not app or not any(each is route or _serves(each, endpoint, surely=True) for each, _ in walked):
            walked = list(_walk(_routes(app), ""))
            self._walked = app, walked
        return route_template(route, endpoint, app, path, walked)


_OUTCOMES = ("", "1xx", "2xx", "3xx", "4xx", "5xx")


def known_method(method: str) -> str:
    """As a label: clients make up methods."""
    return method if not method or method in _METHODS else OTHER


def close_code(code: int) -> str:
    """As a label: those of RFC 6455 as they are, those that applications make up by their thousand."""
    return str(code) if 1000 <= code <= 1015 else {3: "3xxx", 4: "4xxx"}.get(code // 1000, OTHER)


def route_template(
    route: Any, endpoint: Any, app: object, path: str, walked: Sequence[tuple[Any, str]] | None = None
) -> str:
    """The template under which `app` reaches `route`, or what serves `endpoint`; of several, the first that fits `path`.

    `walked` are the routes of `app`, where they are known.

    Where FastAPI names no route and one function serves several of them, they count as the one that was asked for first.
    """
    walked = list(_walk(_routes(app), "")) if walked is None else walked
    found = [(each, prefix) for each, prefix in walked if each is route and _serves(each, endpoint)]
    found = found or [(each, prefix) for each, prefix in walked if _serves(each, endpoint, surely=True)]
    templates = [_whole(each, prefix) for each, prefix in found or [(route, "")]]
    fitting = [shown for shown, pattern in templates if compile_path(pattern)[0].match(path)]
    return (fitting or [shown for shown, _ in templates])[0]


def _serves(route: Any, endpoint: object, *, surely: bool = False) -> bool:
    """Whether what the scope says was called is `route`'s; an inner router may say nothing of itself but this."""
    own = getattr(route, "endpoint", None) or getattr(route, "app", None)
    return own is endpoint if surely else own is endpoint or own is None or endpoint is None


def _whole(route: Any, prefix: str) -> tuple[str, str]:
    """Its template as shown, and the one to compare paths with."""
    path = _joined(prefix, str(getattr(route, "path", "") or "")) or "/"
    mounted = getattr(route, "endpoint", None) is None
    return (f"{path}/*", f"{path}/{{path:path}}") if mounted else (path, path)


def _walk(routes: Iterable[Any], prefix: str, depth: int = 8) -> Iterator[tuple[Any, str]]:
    for route in routes:
        yield route, prefix
        if (contexts := getattr(route, "effective_route_contexts", None)) is not None:  # a router that FastAPI included
            yield from ((context, prefix) for context in contexts())
        elif depth:
            yield from _walk(_routes(route), _joined(prefix, str(getattr(route, "path", "") or "")), depth - 1)


def _routes(app: Any) -> Iterable[Any]:
    """The routes of an application, also of one inside middleware."""
    for _ in range(32):
        found: Iterable[Any] | None = getattr(app, "routes", None)
        if found is not None:
            return found
        app = getattr(app, "app", None)
        if app is None:
            break
    return ()


def _joined(prefix: str, path: str) -> str:
    return prefix.rstrip("/") + path if path else prefix
