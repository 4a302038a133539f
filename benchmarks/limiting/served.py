"""The applications of benchmarks/limiting/middleware.py, all the same but for who limits them."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BODY = {"items": [{"id": number, "name": "a name", "price": "10.00"} for number in range(50)]}


async def items(request: Request) -> Response:
    return JSONResponse(BODY)


def plain() -> Any:
    return Starlette(routes=[Route("/items", items)])


def ours() -> Any:
    from esteio.limit import Limit
    from esteio.web import RateLimits, Rule

    app = plain()
    app.add_middleware(RateLimits, rules=[Rule(limit=Limit(10_000_000, 900, name="api"))])
    return app


def slowapi() -> Any:
    from slowapi import Limiter
    from slowapi.middleware import SlowAPIASGIMiddleware
    from slowapi.util import get_remote_address

    limiter = Limiter(get_remote_address, default_limits=["10000000/15minutes"], headers_enabled=True)
    app = plain()
    app.state.limiter = limiter
    app.add_middleware(SlowAPIASGIMiddleware)
    return app


APPLICATIONS = {"plain": plain, "ours": ours}
if importlib.util.find_spec("slowapi"):
    APPLICATIONS["slowapi"] = slowapi

app = APPLICATIONS[os.environ.get("LIMITED_BY", "plain")]()
