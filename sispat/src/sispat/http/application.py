"""The application: FastAPI describes its routes when somebody asks, and does not stand between a request and its route.

Promises: a request finds its route by one match of one expression, that of the routes whose paths begin like its own; the
first in their order that matches gets it, as in Starlette's own router, which answers where none does (404, 405). Between
our middleware and the route stands nothing but what shows errors: telemetry, limits of forms and exit stacks of FastAPI's,
which none of our routes uses, were measured to cost a sixth of a request.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from sispat.http.openapi import with_components
from sispat.http.route import HandlerRoute

__all__ = ["Application"]

_NAMED = re.compile(r"\(\?P<\w+>")


class Application(Starlette):
    """`title`, `version` and `description` are of its API. The outermost middleware answers what nobody expected."""

    def __init__(self, *, title: str, version: str, description: str, **options: Any) -> None:
        super().__init__(**options)
        self.router.redirect_slashes = (
            False  # a redirect names the host that the request named; http.edge does it without
        )
        self._info: dict[str, Any] = {"title": title, "version": version, "description": description}
        self._document: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """The description of the API; made, and FastAPI loaded, at the first call, which few processes ever get."""
        if self._document is None:
            from fastapi.openapi.utils import get_openapi
            from pydantic.warnings import UnsupportedFieldAttributeWarning

            routes = [each for each in self.routes if isinstance(each, HandlerRoute) and each.include_in_schema]
            with warnings.catch_warnings():
                # FastAPI silences it where it makes its fields: of models that are built late it comes later.
                warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
                document = get_openapi(**self._info, routes=[each.described() for each in routes])
            self._document = with_components(document)
        return self._document

    def build_middleware_stack(self) -> ASGIApp:
        """Called once, when the application is asked for the first time."""
        app: ASGIApp = ExceptionMiddleware(_Dispatch(self.router), handlers=self.exception_handlers)
        for middleware in reversed(self.user_middleware):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return app


class _Dispatch:
    """Finds the route of a request among those of its group; whatever is not simply that is Starlette's own business.

    What finds the routes of a group is made when it is asked for the first time: each start of a worker would wait for all.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._groups: dict[str, _Group] = {}
        for route in router.routes:
            if isinstance(route, Route | Mount):
                self._groups.setdefault(_group_of(route.path), _Group()).routes.append(route)
        self._nothing = _Group()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get("root_path"):
            await self._router(scope, receive, send)
            return
        group = self._groups.get(_group_of(scope["path"]), self._nothing)
        await (scope["route"].app if group.prepare(scope) else group)(scope, receive, send)


def _group_of(path: str) -> str:
    """What a path is of, `/api` or not: `locais` of `/locais/novo`. No parameter stands there."""
    parts = path.split("/", 3)
    return parts[2] if parts[1:2] == ["api"] and len(parts) > 2 else "".join(parts[1:2])


class _Group(Router):
    """Some routes, in their order; as a router it answers where none of them is simply the one."""

    def __init__(self) -> None:
        super().__init__(redirect_slashes=False)

    @cached_property
    def _find(self) -> Callable[[str], re.Match[str] | None]:
        return re.compile("|".join(f"({_pattern(route)})" for route in self.routes)).fullmatch

    def prepare(self, scope: Scope) -> bool:
        """Write the route and what its path says into `scope`; whether there is one."""
        found = self._find(f"{scope['method']} {scope['path']}")
        if found is None or found.lastindex is None:
            return False
        route = self.routes[found.lastindex - 1]
        if not isinstance(route, Route):
            return False
        parts: dict[str, Any] = {}
        if route.param_convertors:
            match = route.path_regex.match(scope["path"])
            assert match is not None
            parts = {name: route.param_convertors[name].convert(value) for name, value in match.groupdict().items()}
        scope["path_params"], scope["endpoint"], scope["route"] = parts, route.endpoint, route
        return True


def _pattern(route: BaseRoute) -> str:
    """Methods and path of a route, without groups, so that the number of the outer one says which route it is."""
    assert isinstance(route, Route | Mount)
    path = _NAMED.sub("(?:", route.path_regex.pattern.removeprefix("^").removesuffix("$"))
    methods = "|".join(sorted(route.methods or ())) if isinstance(route, Route) else ""
    return f"(?:{methods or '[A-Z]+'}) {path}"
