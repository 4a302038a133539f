"""The application: FastAPI describes its routes, and does not stand between a request and its route.

Promises: a request finds its route by one match of one expression, whatever the number of routes, and the first in their
order that matches gets it, as in Starlette's own router; that one answers where no route matches (404, 405). Between our
middleware and the route stands nothing but what shows errors: telemetry, limits of forms and exit stacks of FastAPI's,
which none of our routes uses, were measured to cost a sixth of a request.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Application"]

_NAMED = re.compile(r"\(\?P<\w+>")


class Application(FastAPI):
    """A FastAPI whose routes are called directly. The outermost middleware answers what nobody expected."""

    def build_middleware_stack(self) -> ASGIApp:
        """Called once, when the application is asked for the first time."""
        app: ASGIApp = ExceptionMiddleware(_Dispatch(self.router), handlers=self.exception_handlers)
        for middleware in reversed(self.user_middleware):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette's."""
        await Starlette.__call__(self, scope, receive, send)


class _Dispatch:
    """Finds the route of a request; whatever is not simply that is the router's own business."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._routes = [route for route in router.routes if isinstance(route, Route | Mount)]
        self._find = re.compile("|".join(f"({_pattern(route)})" for route in self._routes)).fullmatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get("root_path") or not self._prepare(scope):
            await self._router(scope, receive, send)
        else:
            await scope["route"].app(scope, receive, send)

    def _prepare(self, scope: Scope) -> bool:
        """Write the route and what its path says into `scope`; whether there is one."""
        found = self._find(f"{scope['method']} {scope['path']}")
        if found is None or found.lastindex is None:
            return False
        route = self._routes[found.lastindex - 1]
        if isinstance(route, Mount):
            return False
        parts: dict[str, Any] = {}
        if route.param_convertors:
            match = route.path_regex.match(scope["path"])
            assert match is not None
            parts = {name: route.param_convertors[name].convert(value) for name, value in match.groupdict().items()}
        scope["path_params"], scope["endpoint"], scope["route"] = parts, route.endpoint, route
        return True


def _pattern(route: Route | Mount) -> str:
    """Methods and path of a route, without groups, so that the number of the outer one says which route it is."""
    path = _NAMED.sub("(?:", route.path_regex.pattern.removeprefix("^").removesuffix("$"))
    methods = "|".join(sorted(route.methods or ())) if isinstance(route, Route) else ""
    return f"(?:{methods or '[A-Z]+'}) {path}"
