"""The database in FastAPI's routes: given back however a request ends, committed before anybody is told."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import psycopg
import pytest
from fastapi import FastAPI, HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse

from esteio.outage_log import OutageLog
from esteio.postgres import Connection, Database, DatabaseUnavailable, Dsn
from esteio.web.database import answer_outages, connection, transaction


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=1, pool_timeout=0.3)) as database:
        await database.execute("CREATE TABLE done (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        yield database


@pytest.fixture
def app(database: Database) -> FastAPI:
    app = FastAPI()
    app.state.database = database
    answer_outages(app)
    within = Annotated[Connection, transaction(database)]

    @app.get("/read")
    async def read(conn: Annotated[Connection, connection(_of_the_app)]) -> Any:
        return (await (await conn.execute("SELECT 7")).fetchone() or [0])[0]

    @app.post("/write/{n}")
    async def write(n: int, conn: within) -> dict[str, int]:
        await conn.execute("INSERT INTO done VALUES (%s)", [n])
        return {"n": n}

    @app.post("/fail/{n}")
    async def fail(n: int, conn: within) -> None:
        await conn.execute("INSERT INTO done VALUES (%s)", [n])
        raise RuntimeError

    @app.post("/refuse/{n}")
    async def refuse(n: int, conn: within) -> None:
        await conn.execute("INSERT INTO done VALUES (%s)", [n])
        raise HTTPException(409)

    @app.get("/stream")
    async def stream(conn: Annotated[Connection, connection(database)]) -> StreamingResponse:
        async def rows() -> AsyncIterator[bytes]:
            async with conn.transaction(), conn.cursor("rows") as cursor:
                cursor.itersize = 100
                await cursor.execute("SELECT generate_series(1, 100000)")
                async for row in cursor:
                    yield b"%d\n" % row[0]

        return StreamingResponse(rows())

    @app.get("/sleep")
    async def sleep(conn: within) -> None:
        await conn.execute("INSERT INTO done VALUES (0)")
        await conn.execute("SELECT pg_sleep(4)")

    return app


def _of_the_app(request: Request) -> Database:
    found: Database = request.app.state.database
    return found


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


async def _done(database: Database) -> list[int]:
    return [row[0] for row in await database.fetch_all("SELECT n FROM done ORDER BY 1")]


async def test_a_route_reads_and_writes(client: httpx2.AsyncClient, database: Database) -> None:
    assert (await client.get("/read")).json() == 7
    assert (await client.post("/write/1")).json() == {"n": 1}
    assert await _done(database) == [1]
    assert database.stats().in_use == 0


async def test_a_route_that_raises_has_written_nothing(client: httpx2.AsyncClient, database: Database) -> None:
    assert (await client.post("/fail/1")).status_code == 500
    assert (await client.post("/refuse/2")).status_code == 409
    assert await _done(database) == []
    assert database.stats().in_use == 0


async def test_nobody_is_told_of_a_commit_that_fails(app: FastAPI, database: Database) -> None:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.post("/write/1")
        with pytest.raises(psycopg.errors.UniqueViolation):  # found by the deferred constraint at COMMIT
            await client.post("/write/1")
    assert await _done(database) == [1]


async def test_what_is_written_is_there_when_the_answer_comes(app: FastAPI, database: Database) -> None:
    seen: list[list[int]] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert database.stats().in_use == 0, "the only connection is free again"
            seen.append(await _done(database))

    await app(_scope("POST", "/write/5"), _Client(disconnects=False), send)
    assert seen == [[5]]


async def test_an_exhausted_pool_is_a_503_that_says_when_to_come_back(
    client: httpx2.AsyncClient, database: Database
) -> None:
    async with database.connection():
        answer = await client.get("/read")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "pool" not in answer.text
    assert (await client.get("/read")).json() == 7


async def test_a_closed_database_is_a_503_without_a_promise(client: httpx2.AsyncClient, database: Database) -> None:
    await database.close()
    answer = await client.get("/read")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, False)


async def test_a_stream_has_its_connection_until_the_last_row(client: httpx2.AsyncClient, database: Database) -> None:
    assert (await client.get("/stream")).text.splitlines()[-1] == "100000"
    assert database.stats().in_use == 0


async def test_a_client_that_leaves_a_stream_leaves_its_connection(app: FastAPI, database: Database) -> None:
    client = _Client(disconnects=True)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            client.left.set()
            await asyncio.sleep(0)

    await app(_scope("GET", "/stream"), client, send)
    assert database.stats().in_use == 0
    assert await database.fetch_value("SELECT 1") == 1


async def test_a_request_that_is_cancelled_leaves_its_connection(app: FastAPI, database: Database) -> None:
    async def send(message: Any) -> None:
        raise AssertionError

    request = asyncio.ensure_future(app(_scope("GET", "/sleep"), _Client(disconnects=False), send))
    async with asyncio.timeout(10):
        while database.stats().in_use == 0:  # noqa: ASYNC110 - the route has no event to wait for
            await asyncio.sleep(0.01)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert database.stats().in_use == 0
    assert await _done(database) == []


class _Client:
    """A client's side of ASGI: sends its request, and leaves when `left` is set."""

    def __init__(self, *, disconnects: bool) -> None:
        self._disconnects = disconnects
        self._sent = False
        self.left = asyncio.Event()

    async def __call__(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}


def _scope(method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


async def test_an_outage_is_one_line_in_the_log_however_many_requests_it_hits(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = OutageLog(logging.getLogger("esteio.web"))  # an outage of another test may still be under way
    monkeypatch.setattr("esteio.web.database._outages", fresh)
    app = FastAPI()
    answer_outages(app)

    @app.get("/")
    async def fail() -> None:
        raise DatabaseUnavailable("db", "no answer")

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://t") as client:
        answers = [(await client.get("/")).status_code for _ in range(50)]
    assert set(answers) == {503}
    assert sum(record.name == "esteio.web" for record in caplog.records) == 1
