"""A request whose database went away under it is answered as if nothing had happened.

Promises: a route that failed because a server or a connection was lost, or a conflict with another transaction, is run
again, for as long as a connection may be waited for (`pool_timeout`). That is safe for every route: a reading one
changes nothing but the session's last use, and a writing one runs in one transaction (`Atendimento`), whose lost COMMIT
has been looked up: what arrives here has written nothing. What nobody can know (`CommitUnknown`) is never run again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from esteio.postgres import DatabaseUnavailable, SerializationConflict
from sispat.web.porta import servico_de

__all__ = ["Atender", "RotaQueInsiste", "insistir"]

Atender = Callable[[Request], Coroutine[Any, Any, Response]]

_TENTATIVAS = 100  # the time is what bounds them
_PRIMEIRA_ESPERA, _MAIOR_ESPERA = 0.01, 0.25


def insistir(atender: Atender) -> Atender:
    """`atender`, run again while it fails for want of a database."""

    async def com_insistencia(request: Request) -> Response:
        inicio = time.monotonic()
        for tentativa in range(_TENTATIVAS):
            try:
                return await atender(request)
            except (DatabaseUnavailable, SerializationConflict) as erro:
                fim = inicio + servico_de(request).db.dsn.pool_timeout
                espera = min(_MAIOR_ESPERA, _PRIMEIRA_ESPERA * 2**tentativa) * random.uniform(0.5, 1.0)  # noqa: S311
                if erro.retry_after is None or time.monotonic() + espera >= fim:
                    raise
            await asyncio.sleep(espera)
        return await atender(request)

    return com_insistencia


class RotaQueInsiste(APIRoute):
    """A route that gets through an outage."""

    def get_route_handler(self) -> Atender:
        """FastAPI's handler, run again when the database went away under it."""
        return insistir(super().get_route_handler())
