"""Esteio at the edge: ASGI middleware and routes for any Starlette-shaped application."""

from __future__ import annotations

from esteio.web._body_limit import BodyLimit, BodyTooLarge
from esteio.web._health import health_routes
from esteio.web._request_id import RequestId

__all__ = ["BodyLimit", "BodyTooLarge", "RequestId", "health_routes"]
