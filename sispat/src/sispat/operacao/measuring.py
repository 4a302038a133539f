"""What each worker measures, and the page that Prometheus reads."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esteio.health import Sampler
from esteio.postgres.prometheus import export_database
from esteio.web import Measure
from esteio.web.limits import RuleSet
from esteio.web.metrics import Exports, metrics_route
from sispat.http.service import Service
from sispat.operacao.access import admit

__all__ = ["measuring", "operation_routes"]

_STATEMENTS = 20  # of each worker, those that took the most time


def measuring(service: Service, rules: RuleSet) -> Middleware:
    """The outermost middleware: it counts what every other one refuses, too."""
    exports = Exports(lambda registry: export_database(service.db, to=registry, statements=_STATEMENTS), rules=rules)
    sampler = Sampler(service.measurements, exports)
    return Middleware(Measure, measurements=service.measurements, sampler=sampler)


def operation_routes(service: Service) -> list[Route]:
    """Routes that need no database where the token of the settings is sent."""

    async def allow(request: Request) -> Response | None:
        await admit(request)
        return None

    return [metrics_route(service.measurements, path="/metrics", allow=allow)]
