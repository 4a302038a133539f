"""What each worker measures, and the routes that show it."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esteio.health import HistoryReader, Sampler
from esteio.postgres import DatabaseUnavailable, PoolExhausted
from esteio.postgres.prometheus import export_database
from esteio.web import Measure, health_metrics_route
from esteio.web.limits import RuleSet
from esteio.web.metrics import Exports, metrics_route
from esteio.web.operations import health_alerts_route, operations_routes
from esteio.web.shedding import Admission
from esteio.web.shedding.prometheus import export_shedding
from esteio.web.status_page import status_routes
from sispat.http.backup_state import history_file, operator_state_file
from sispat.http.maintenance import UnderMaintenance
from sispat.http.service import Service
from sispat.kernel.i18n import _, language
from sispat.operacao.access import admit
from sispat.operacao.alerts import alerts_of
from sispat.operacao.names import alert_titles, check_names
from sispat.operacao.orders import order_token, permit

__all__ = ["PAGE", "PUBLIC_PAGE", "measuring", "operation_routes"]

PAGE, PUBLIC_PAGE = "/operacao", "/situacao"
_STATEMENTS = 20  # of each worker, those that took the most time


def measuring(service: Service, rules: RuleSet, gate: Admission) -> Middleware:
    """The outermost middleware: it counts what every other one refuses, too."""
    exports = Exports(
        lambda registry: export_database(service.db, to=registry, statements=_STATEMENTS),
        lambda registry: export_shedding(gate, to=registry),
        rules=rules,
        statements=service.db.statements,
        salt=service.measurements.board.salt,
    )
    sampler = Sampler(service.measurements, exports)
    return Middleware(Measure, measurements=service.measurements, sampler=sampler)


def operation_routes(service: Service) -> list[Route]:
    """Routes that need no database where the token of the settings is sent."""
    settings = service.settings
    history = HistoryReader(history_file(settings)) if settings.enable_health_monitor else None
    backups = operator_state_file(settings) if settings.backup else None
    alerts = alerts_of(settings) if settings.enable_health_monitor else None
    return [
        metrics_route(service.measurements, path="/metrics", allow=_for_programs, history=history, backups=backups),
        health_metrics_route(service.measurements, history, path="/api/health/metrics", allow=_for_programs),
        *([health_alerts_route(alerts, path="/api/health/alerts", allow=_for_programs)] if alerts is not None else ()),
        *operations_routes(
            service.health,
            service.measurements,
            history,
            path=PAGE,
            title="SISPAT",
            allow=_for_people,
            maintenance=service.maintenance,
            backups=backups,
            names=lambda _tag: check_names(),
            language=lambda _request: language(),
            timezone=settings.timezone,
            permit=permit,
            token=order_token,
            alerts=alerts,
            titles=lambda _tag: alert_titles(),
            drill=settings.data_dir / "drill" / "drill.json",
        ),
        *status_routes(
            service.health,
            history,
            path=PUBLIC_PAGE,
            summary="/api/health/summary.json",
            title="SISPAT",
            maintenance=service.maintenance,
            language=lambda _request: language(),
            timezone=settings.timezone,
        ),
    ]


async def _for_programs(request: Request) -> Response | None:
    await admit(request)
    return None


async def _for_people(request: Request) -> Response | None:
    """While nobody can say whose session it is, a browser asks for the token, if there is one."""
    try:
        await admit(request)
    except (DatabaseUnavailable, PoolExhausted, UnderMaintenance):
        if _token_is_set(request):
            return PlainTextResponse(
                _("O banco está fora. Informe como senha o valor de SISPAT_OPERATIONS_TOKEN; qualquer nome serve."),
                401,
                headers={"WWW-Authenticate": 'Basic realm="operacao", charset="UTF-8"', "Cache-Control": "no-store"},
            )
        raise
    return None


def _token_is_set(request: Request) -> bool:
    service: Service = request.app.state.service
    return service.settings.operations_token is not None
