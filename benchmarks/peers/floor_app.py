"""The floor: the least that can answer the three claims over these tables, with nothing of a service around it.

psycopg in pipeline mode with prepared statements; the session is looked up in the same round trip as the query; JSON
comes from PostgreSQL and is passed on as bytes; a create is one statement between BEGIN and COMMIT, sent together. No
permissions, limits, retries, idempotency, ETags, request ids: what a service adds is measured against this.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from psycopg_pool import AsyncConnectionPool
from sispat_sql import CREATE, LIST, ONE, SESSION

POOL_SIZE = 10


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async def configure(conn: Any) -> None:
        await conn.set_autocommit(True)

    pool = AsyncConnectionPool(
        os.environ["PEER_DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE, configure=configure, open=False
    )
    async with pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


def token_hash(request: Request) -> bytes:
    return hashlib.sha256(request.headers["authorization"].removeprefix("Bearer ").encode()).digest()


async def answer(request: Request, sql: str, values: Any) -> Response:
    async with request.app.state.pool.connection() as conn, conn.pipeline():
        session = await conn.execute(SESSION, [token_hash(request)], prepare=True)
        found = await conn.execute(sql, values, prepare=True)
        if await session.fetchone() is None:
            return Response(status_code=401)
        row = await found.fetchone()
    return Response(status_code=404) if row is None else Response(row[0], media_type="application/json")


@app.get("/api/patrimonios")
async def list_(request: Request) -> Response:
    return await answer(request, LIST, None)


@app.get("/api/patrimonios/{id_}")
async def one(request: Request, id_: str) -> Response:
    return await answer(request, ONE, [id_])


@app.post("/api/patrimonios")
async def create(request: Request) -> Response:
    body = orjson.loads(await request.body())
    async with request.app.state.pool.connection() as conn, conn.pipeline():
        session = await conn.execute(SESSION, [token_hash(request)], prepare=True)
        await conn.execute("begin", prepare=True)
        made = await conn.execute(CREATE, body, prepare=True)
        await conn.execute("commit", prepare=True)
        if await session.fetchone() is None:
            return Response(status_code=401)
        row = await made.fetchone()
    assert row is not None
    return Response(row[0], 201, media_type="application/json")
