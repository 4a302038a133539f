"""A request whose database went away under it is answered as if nothing had happened.

Promises: a route that failed because a server or a connection was lost, or a conflict with another transaction, is run
again, for as long as a connection may be waited for (`pool_timeout`). That is safe for every route: a reading one changes
nothing but the session's last use, and a writing one runs in one transaction (`open_context`), whose lost COMMIT has been
looked up: what arrives here has written nothing. What nobody can know (`CommitUnknown`) is never run again. A read that
worked with rights which its session no longer has (`SessionChanged`) has found nothing, and is run again at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from esteio.postgres import DatabaseUnavailable, SerializationConflict
from sispat.http.guarded import SessionChanged
from sispat.http.service import service_of

__all__ = ["Handler", "retry"]

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_ATTEMPTS = 100  # the time is what bounds them
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.25  # seconds


def retry(handler: Handler) -> Handler:
    """`handler`, run again while it fails for want of a database."""

    async def retried(request: Request) -> Response:
        began = time.monotonic()
        for attempt in range(_ATTEMPTS):
            try:
                return await handler(request)
            except SessionChanged:
                continue  # it is forgotten, so that this time it is looked up first
            except (DatabaseUnavailable, SerializationConflict) as error:
                end = began + service_of(request).db.dsn.pool_timeout
                wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
                if error.retry_after is None or time.monotonic() + wait >= end:
                    raise
            await asyncio.sleep(wait)
        return await handler(request)

    return retried
