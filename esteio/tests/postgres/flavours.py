"""One test for both flavours: `InThreads` gives `SyncDatabase` the words of `Database`.

Each call is made in a thread of its own, with the deadline of the task that makes it. A function given to `run`, and
`configure` and `reset`, are coroutine functions, as for `Database`; their connection waits in threads, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, Self

import psycopg
import pytest

from esteio.policy import Pipeline
from esteio.postgres import Database
from esteio.postgres.sync import SyncDatabase

__all__ = ["BOTH", "InThreads", "guarded", "plain"]

_THREADS = ThreadPoolExecutor(100, "caller")  # more than any test has calls at the same time
_BLOCKING = frozenset(
    {
        "open",
        "close",
        "drain",
        "fetch_one",
        "fetch_all",
        "fetch_value",
        "execute",
        "ping",
        "fetchone",
        "fetchall",
        "rollback",
        "set_autocommit",
        "set_deferrable",
        "set_isolation_level",
        "set_read_only",
    }
)
_BLOCKS = frozenset({"connection", "transaction", "pipeline"})


class _View:
    """What blocks of `inner` is awaited here instead."""

    def __init__(self, inner: Any) -> None:
        self.__dict__["inner"] = inner

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name in _BLOCKS:
            return lambda *arguments, **options: _block(found(*arguments, **options))
        return partial(_call, found) if name in _BLOCKING else found


async def _in_thread(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    call = partial(copy_context().run, function, *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(_THREADS, call)


async def _call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    result = await _in_thread(function, *arguments, **options)
    return _View(result) if isinstance(result, psycopg.Cursor) else result


class InThreads(_View):
    """A `SyncDatabase`, awaited like a `Database`; it takes the same parameters."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        for hook in {"configure", "reset"} & options.keys():
            options[hook] = _waiting(options[hook])
        super().__init__(SyncDatabase(*arguments, **options))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, function: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
        return await _in_thread(self.inner.run, _waiting(function), **options)


def _waiting(function: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Any]:
    """A function for threads that waits until the loop has run the coroutine function."""
    loop = asyncio.get_running_loop()

    async def call(conn: Any) -> Any:
        return await function(_View(conn))

    return lambda conn: asyncio.run_coroutine_threadsafe(call(conn), loop).result()


async def guarded(pipeline: Pipeline, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """`call`, a method of a database, through `pipeline`: its `acall`, or its `call` in a thread."""
    if isinstance(call, partial):  # of a view
        return await _in_thread(pipeline.call, *call.args, *arguments)
    owner = getattr(call, "__self__", None)
    if isinstance(owner, InThreads):  # `run`
        return await _in_thread(pipeline.call, owner.inner.run, *map(_waiting, arguments))
    return await pipeline.acall(call, *arguments)


def plain(conn: Any) -> Any:
    """psycopg's connection itself."""
    return conn.inner if isinstance(conn, _View) else conn


@asynccontextmanager
async def _block(block: AbstractContextManager[Any]) -> AsyncIterator[_View]:
    conn = await _in_thread(block.__enter__)
    try:
        yield _View(conn)
    except BaseException as error:
        if not await _in_thread(block.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await _in_thread(block.__exit__, None, None, None)


BOTH = pytest.mark.parametrize("flavour", [Database, InThreads], ids=["asyncio", "threads"])
"""Runs a test once with each flavour, as `flavour`."""
