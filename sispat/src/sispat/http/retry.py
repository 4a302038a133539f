"""A request whose database went away under it is answered as if nothing had happened.

Promises: a route that failed because a server or a connection was lost, or a conflict with another transaction, is run
again, for as long as a connection may be waited for (`pool_timeout`). That is safe for every route: a reading one changes
nothing but the session's last use, and a writing one runs in one transaction (`open_context`), whose lost COMMIT has been
looked up: what arrives here has written nothing. What nobody can know (`CommitUnknown`) is never run again. A read that
worked with rights which its session no longer has (`SessionChanged`) has found nothing, and is run again at once.

Who waits for a lock longer than `LOCK_WAIT` (two people accept the same transfer on a slow machine) gives the connection
back, so that others work meanwhile, and asks again: the answer is then what became of the first one, not that it was slow.
A database that is not there (`DatabaseMissing`) is looked for again during `_SETTLES` seconds: a restore puts another one in
its place.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from esteio.postgres import DatabaseMissing, DatabaseUnavailable, LockTimeout, SerializationConflict
from sispat.http.guarded import SessionChanged
from sispat.http.service import service_of

__all__ = ["Handler", "retry"]

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_ATTEMPTS = 100  # the time is what bounds them
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.25  # seconds
_SETTLES = 6.0  # seconds; the pool asks again after one to two, then after two to four


def retry(handler: Handler) -> Handler:
    """`handler`, run again while it fails for want of a database."""

    async def retried(request: Request) -> Response:
        began = time.monotonic()
        for attempt in range(_ATTEMPTS):
            try:
                return await handler(request)
            except SessionChanged:
                continue  # it is forgotten, so that this time it is looked up first
            except (DatabaseUnavailable, LockTimeout, SerializationConflict) as error:
                end = began + _patience(error, service_of(request).db.dsn.pool_timeout)
                wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
                if time.monotonic() + wait >= end:
                    raise
            await asyncio.sleep(wait)
        return await handler(request)

    return retried


def _patience(error: DatabaseUnavailable | LockTimeout | SerializationConflict, most: float) -> float:
    """Seconds during which a request that met `error` is run again."""
    if isinstance(error, DatabaseMissing):
        return min(_SETTLES, most)
    return 0.0 if error.retry_after is None else most
