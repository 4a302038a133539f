"""The database in FastAPI's routes, and its outages as HTTP.

Promises: a route gets a connection or a transaction of its own and cannot keep it, however the request ends: an error,
a client that leaves, a stream that is broken off. A transaction is committed before the answer is sent, so nobody is
told of a success that then fails; it is rolled back when the route raises. `connection` and `transaction` need FastAPI (the
extra `fastapi`), `answer_outages` only Starlette.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from esteio.extras import needs
from esteio.outage_log import OutageLog
from esteio.postgres import Connection, Database, DatabaseUnavailable, PoolExhausted, SerializationConflict

if TYPE_CHECKING:
    from psycopg import IsolationLevel

__all__ = ["answer_outages", "connection", "transaction"]

_outages = OutageLog(logging.getLogger("esteio.web"))

DatabaseOf = Database | Callable[[Request], Database]
"""The database, or how to find it from a request, such as `lambda request: request.app.state.database`."""

_WAITABLE: tuple[type[DatabaseUnavailable | PoolExhausted | SerializationConflict], ...] = (
    DatabaseUnavailable,
    PoolExhausted,
    SerializationConflict,
)


def connection(database: DatabaseOf, *, read_only: bool = False) -> Any:
    """An autocommit connection for a route, until its answer is sent.

    Its parameter is declared as `conn: Annotated[Connection, connection(database)]`. A StreamingResponse may read from
    it; a slow client keeps it for as long. With `read_only` it may be one to a replica.
    """

    async def borrowed(request: Request) -> AsyncIterator[Connection]:
        async with _found(database, request).connection(read_only=read_only) as conn:
            yield conn

    return _depends(borrowed, "request")


def transaction(database: DatabaseOf, *, read_only: bool = False, isolation: IsolationLevel | None = None) -> Any:
    """A transaction around a route's function.

    Its parameter is declared as `conn: Annotated[Connection, transaction(database)]`. It is over when the
    function returns: what a StreamingResponse reads later needs `connection`. The function is run once; where a retry
    is wanted, call `Database.run` in it instead.
    """

    async def begun(request: Request) -> AsyncIterator[Connection]:
        async with _found(database, request).transaction(read_only=read_only, isolation=isolation) as conn:
            yield conn

    return _depends(begun, "function")


def answer_outages(app: Starlette) -> None:
    """Have `app` answer 503 with Retry-After, and nothing about the inside, when the database cannot serve for now.

    Meant for what may pass: an outage, a full pool, a lost conflict. Other errors stay what they are. The log has one
    line when an outage begins, one a minute with the count, and one when it is over.
    """
    for kind in _WAITABLE:
        app.add_exception_handler(kind, _unavailable)


async def _unavailable(_: Request, error: Exception) -> Response:
    _outages.failed("database unavailable", error)
    problem = {"title": "Service Unavailable", "status": 503, "detail": "The database cannot serve for now; try again."}
    wait = getattr(error, "retry_after", None)
    headers = {"Cache-Control": "no-store"} | ({} if wait is None else {"Retry-After": str(max(1, ceil(wait)))})
    return Response(json.dumps(problem), 503, headers, "application/problem+json")


def _depends(dependency: Callable[..., Any], scope: Literal["request", "function"]) -> Any:
    with needs("fastapi"):
        from fastapi import Depends

    return Depends(dependency, scope=scope)


def _found(database: DatabaseOf, request: Request) -> Database:
    return database if isinstance(database, Database) else database(request)
