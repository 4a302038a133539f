"""Two people who may do everything, each signed in at a process of their own of the same city."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg

from esteio.postgres import Dsn

__all__ = ["two_administrators"]


@asynccontextmanager
async def two_administrators(cliente: Any, cidade: Dsn) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Their clients by e-mail; `cliente` is the fixture. The city's gestor is promoted: some acts are an administrator's."""
    one, other = "admin@demo.local", "gestor@demo.local"
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update usuario set papel = 'administrador' where email = %s", [other])
    unlimited = {"limit_write": None, "limit_user": None}
    async with cliente(one, **unlimited) as first, cliente(other, **unlimited) as second:
        yield {one: first, other: second}
