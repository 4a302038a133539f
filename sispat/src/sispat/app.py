"""The composition root: `sispat.app:app` runs under `sispat serve` and under plain `uvicorn sispat.app:app` alike.

Promises: making the application touches nothing; opening it never fails because the database is away. `SLICES` is all
there is to serve; who may do what is decided in their use cases.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from esteio import EsteioError
from esteio.alert.journal import note_events
from esteio.web import BodyLimit, RateLimits, RequestId, health_routes
from esteio.web.limits import Denial, RuleSet
from esteio.web.shedding import Level, Shedding
from sispat import __version__
from sispat.auditoria.slice import SLICE as AUDITORIA
from sispat.avisos.slice import SLICE as AVISOS
from sispat.cadastros.slice import SLICE as CADASTROS
from sispat.comissoes.slice import SLICE as COMISSOES
from sispat.conciliacao.slice import SLICE as CONCILIACAO
from sispat.dados_abertos.slice import SLICE as DADOS_ABERTOS
from sispat.depreciacao.slice import SLICE as DEPRECIACAO
from sispat.documentos.slice import SLICE as DOCUMENTOS
from sispat.etiquetas.slice import SLICE as ETIQUETAS
from sispat.http.application import Application
from sispat.http.edge import COMPRESSED, Edge, Gzip, allowed_methods
from sispat.http.errors import Problem, is_for_programs, limit_problem, problem_of, problem_response
from sispat.http.limits import Identify, limit_rules
from sispat.http.openapi import add_documentation
from sispat.http.service import Service
from sispat.http.shedding import STRANGER, PoolDelay, admission, by_head, overload_problem, priorities
from sispat.http.slices import Site, site_of
from sispat.imoveis.slice import SLICE as IMOVEIS
from sispat.importacao.slice import SLICE as IMPORTACAO
from sispat.inventario.slice import SLICE as INVENTARIO
from sispat.kernel.errors import SispatError
from sispat.movimentacoes.slice import SLICE as MOVIMENTACOES
from sispat.operacao.access import brings_token
from sispat.operacao.error_reports import report_errors
from sispat.operacao.measuring import measuring, operation_routes
from sispat.operacao.monitor import journal_of
from sispat.operacao.slice import SLICE as OPERACAO
from sispat.operacao.tracing import tracing
from sispat.painel.slice import SLICE as PAINEL
from sispat.patrimonios.slice import SLICE as PATRIMONIOS
from sispat.pessoas.slice import SLICE as PESSOAS
from sispat.publico.slice import SLICE as PUBLICO
from sispat.reavaliacao.slice import SLICE as REAVALIACAO
from sispat.relatorios.slice import SLICE as RELATORIOS
from sispat.settings import Settings, load_settings
from sispat.tarefas.slice import SLICE as TAREFAS
from sispat.termos.slice import SLICE as TERMOS
from sispat.ui.early_refusal import early_answers
from sispat.ui.error_page import error_page, short_page
from sispat.ui.language import LANGUAGE_PATH, choose_language
from sispat.ui.static_files import STATIC_PATH, serve

__all__ = ["SLICES", "create_app"]

# In the order in which their routes are matched: what is asked for most comes first.
SLICES = (
    PATRIMONIOS,
    ETIQUETAS,
    PESSOAS,
    CADASTROS,
    MOVIMENTACOES,
    IMOVEIS,
    COMISSOES,
    DEPRECIACAO,
    CONCILIACAO,
    INVENTARIO,
    REAVALIACAO,
    RELATORIOS,
    DOCUMENTOS,
    IMPORTACAO,
    TAREFAS,
    TERMOS,
    PUBLICO,
    DADOS_ABERTOS,
    AVISOS,
    AUDITORIA,
    OPERACAO,
    PAINEL,
)


def create_app(settings: Settings) -> Application:
    """The application for these settings."""
    site, service = Site(SLICES), Service.build(settings, SLICES)
    rules, gate = RuleSet(limit_rules(settings, site)), admission()
    place = priorities(service, site, lambda scope: brings_token(HTTPConnection(scope)))

    @contextlib.asynccontextmanager
    async def lifespan(_: Application) -> AsyncIterator[None]:
        with contextlib.ExitStack() as ends:
            ends.callback(report_errors(settings))
            if settings.enable_health_monitor:
                ends.callback(note_events(journal_of(settings)))
            async with service.opened():
                yield

    application = Application(
        title="SISPAT",
        version=__version__,
        description="Gestão patrimonial: os mesmos casos de uso das telas, em JSON.",
        lifespan=lifespan,
        middleware=[
            measuring(service, rules, gate),
            Middleware(RequestId),
            *tracing(),
            Middleware(Edge, show=_show, secure=settings.secure_cookies, language=settings.lang),
            Middleware(
                Shedding,
                levels=gate,
                classify=place,
                respond=_refuse_overload,
                by_head=by_head(place),
                answer=early_answers(settings),
                delay=PoolDelay(service.db),
            ),
            Middleware(Gzip, minimum_size=1000, compresslevel=4, exclude_content_types=COMPRESSED),
            Middleware(
                BodyLimit,
                limit=settings.body_limit,
                larger=lambda scope: settings.upload_total if site.takes_files(scope) else None,
            ),
            Middleware(Identify, service=service, site=site),
            Middleware(RateLimits, rules=rules, limiter=service.limiter, respond=_refuse),
        ],
    )
    application.state.service, application.state.site = service, site
    for kind in (SispatError, EsteioError, HTTPException, ClientDisconnect):
        application.add_exception_handler(kind, _show_error)
    application.router.routes.extend(
        health_routes(service.health, prefix="/api/health", version=__version__, service="sispat")
    )
    application.router.routes.extend(operation_routes(service))
    # One by one: an included router is matched at every level on the way down, which was measured to cost as much as a
    # query. The API's first, because it is asked more often.
    routes = [route for each in SLICES for route in each.routes.all]
    application.router.routes.extend(route for route in routes if route.include_in_schema)
    add_documentation(application, application.openapi)
    application.router.routes += [Route(STATIC_PATH, serve), Route(LANGUAGE_PATH, choose_language, methods=["POST"])]
    application.router.routes.extend(route for route in routes if not route.include_in_schema)
    return application


async def _show_error(request: Request, error: Exception) -> Response:
    problem = problem_of(error, site_of(request).problems, reading=request.method in ("GET", "HEAD"))
    if problem.status == 405:
        problem.headers["Allow"] = allowed_methods(request)
    return await _show(request, problem)


def _refuse(_: Scope, denial: Denial) -> ASGIApp:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        response = await _show(Request(scope, receive, send), limit_problem(denial))
        await response(scope, receive, send)

    return respond


def _refuse_overload(_: Scope, level: Level, retry_after: int) -> ASGIApp:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        request, problem = Request(scope, receive, send), overload_problem(retry_after)
        stranger = level.name == STRANGER and scope["method"] == "GET" and not is_for_programs(scope)
        response = short_page(problem) if stranger else await _show(request, problem)
        await response(scope, receive, send)

    return respond


async def _show(request: Request, problem: Problem) -> Response:
    for_programs = is_for_programs(request.scope)
    return problem_response(request, problem) if for_programs else await error_page(request, problem)


def __getattr__(name: str) -> Application:
    """`app`, made when a server asks for it: importing this module for `create_app` reads no settings."""
    if name == "app":
        application: Application = globals().setdefault("app", create_app(load_settings()))
        # What is loaded now lives as long as the process: looked through by each full collection, it was measured to cost
        # 4 % of the time of requests. Not in `create_app`, which tests call often: what is frozen is never freed.
        gc.collect()
        gc.freeze()
        return application
    raise AttributeError(name)
