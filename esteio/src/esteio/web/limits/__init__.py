"""Limits at the edge: rules, the middleware that applies them (ASGI, WSGI), the dependency for single routes."""

from __future__ import annotations

from esteio.web.limits._dependency import QuotaExceeded, limited, quota_exceeded
from esteio.web.limits._keys import by_address, by_header, by_user
from esteio.web.limits._middleware import RateLimits
from esteio.web.limits._outcome import Denial
from esteio.web.limits._rule import Rule, RuleError
from esteio.web.limits._rules import RuleCounts, RuleSet
from esteio.web.limits._wsgi import WsgiRateLimits

__all__ = [
    "Denial",
    "QuotaExceeded",
    "RateLimits",
    "Rule",
    "RuleCounts",
    "RuleError",
    "RuleSet",
    "WsgiRateLimits",
    "by_address",
    "by_header",
    "by_user",
    "limited",
    "quota_exceeded",
]
