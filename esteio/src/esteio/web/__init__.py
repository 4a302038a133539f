"""Esteio at the edge: ASGI middleware and routes for any ASGI application, Starlette-shaped or not."""

from __future__ import annotations

from esteio.extras import needs

with needs("web"):
    import starlette  # noqa: F401 - whether it is there

from esteio.web._body_limit import BodyLimit, BodyTooLarge
from esteio.web._health import health_routes
from esteio.web._health_metrics import health_metrics_route
from esteio.web._maintenance import MaintenancePage
from esteio.web._measure import Measure
from esteio.web._request_id import RequestId
from esteio.web.limits import (
    QuotaExceeded,
    RateLimits,
    Rule,
    RuleSet,
    WsgiRateLimits,
    by_address,
    by_header,
    by_user,
    limited,
    quota_exceeded,
)

__all__ = [
    "BodyLimit",
    "BodyTooLarge",
    "MaintenancePage",
    "Measure",
    "QuotaExceeded",
    "RateLimits",
    "RequestId",
    "Rule",
    "RuleSet",
    "WsgiRateLimits",
    "by_address",
    "by_header",
    "by_user",
    "health_metrics_route",
    "health_routes",
    "limited",
    "quota_exceeded",
]
