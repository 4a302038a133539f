"""How far counts are, to whoever looks at them, as they go on (server-sent events).

Promises: however many people look, a process asks the database once a round for all counts that somebody looks at, and holds
no connection in between; the number of streams is bounded; a stream ends when its worker drains or its session has ended, and
the browser comes back by itself. While the database is away nothing is told, and nobody's stream is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from esteio import EsteioError
from esteio.serve import lifecycle
from sispat.inventario import sql
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["ProgressFeed", "TooManyViewers"]

Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]
_EVERY = 2.0  # seconds between two questions to the database
_LOOK = 0.5  # seconds: a worker that drains waits for its streams
_CHECKED = 60.0  # seconds between two looks at the session of a stream
_SILENCE = 15.0  # seconds: proxies cut what says nothing for longer
_MOST = 200  # streams of one process


class TooManyViewers(SispatError):
    """So many people look already; the page shows what it showed when it was loaded."""

    code = "muitos-acompanham"

    def __init__(self) -> None:
        super().__init__(_("Muita gente acompanha inventários agora. Recarregue a página para ver como está."))


class ProgressFeed:
    """Of one process. `connect` opens a connection."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._watched: Counter[UUID] = Counter()
        self._latest: dict[UUID, dict[str, int]] = {}
        self._asking: asyncio.Task[None] | None = None
        self.asked = 0
        """How often the database was asked."""

    def admit(self) -> None:
        """Raise `TooManyViewers` where there is no room for one more."""
        if self._watched.total() >= _MOST:
            raise TooManyViewers

    async def events(self, id_: UUID, still: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
        """What is told of a count, whenever it is something new; `still` raises when the session has ended."""
        self._watched[id_] += 1
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        loop = asyncio.get_running_loop()
        told: dict[str, int] | None = None
        spoke = checked = loop.time()
        try:
            yield b"retry: 3000\n\n"
            while not lifecycle.draining:
                now, latest = loop.time(), self._latest.get(id_)
                if latest is not None and latest != told:
                    told, spoke = latest, now
                    yield b"event: progresso\ndata: %b\n\n" % json.dumps(latest).encode()
                elif now - spoke >= _SILENCE:
                    spoke = now
                    yield b": ainda aqui\n\n"
                if now - checked >= _CHECKED:
                    checked = now
                    try:
                        await still()
                    except SispatError:
                        return
                    except EsteioError:
                        pass  # the database is away; the next look tells
                await asyncio.sleep(_LOOK)
        finally:
            self._watched[id_] -= 1
            if not self._watched[id_]:
                del self._watched[id_]
                self._latest.pop(id_, None)

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> None:
        while self._watched:
            with contextlib.suppress(EsteioError):
                async with self._connect() as conn:
                    found = await sql.progresso(conn, list(self._watched))
                self.asked += 1
                self._latest = {id_: each for id_, each in found.items() if id_ in self._watched}
            await asyncio.sleep(_EVERY)
