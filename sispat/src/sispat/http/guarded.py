"""A request that reads asks for its session and for what it reads in one statement.

Promises: nothing that was read gets out before the database has said, in the same statement or a later one, that the
session holds and is as it was known: ended, or given other rights, it counts at once. While that is not so the handler
works with the rights the session had a moment ago, on queries that find nothing; what it raises meanwhile, and what it
answers without having found anything, is held back until the session was looked up. Where that is another one than was
known, `SessionChanged` makes the request start anew.
"""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Any, Self

from psycopg.abc import Params, Query

from esteio.postgres import Connection, Cursor
from sispat.http.known_sessions import KnownSessions
from sispat.kernel.errors import NotAuthenticated, SispatError
from sispat.kernel.sessions import Session, SessionLifetime, guarded, whose
from sispat.kernel.tokens import token_hash

__all__ = ["Guard", "SessionChanged"]


class SessionChanged(SispatError):
    """The session is not what it was known as: the request has to start anew, and has done nothing."""

    code = "sessao-mudou"


class Guard:
    """A block in which the first query on `conn` is answered only while the session is as `known`."""

    __slots__ = ("_conn", "_hashed", "_known", "_lifetime", "_sessions", "_token", "_unguarded", "confirmed")

    def __init__(
        self, conn: Connection, token: str, known: Session, lifetime: SessionLifetime, sessions: KnownSessions
    ) -> None:
        self.confirmed = False
        self._conn = conn
        self._token, self._hashed = token, token_hash(token)
        self._known = known
        self._lifetime = lifetime
        self._sessions = sessions
        self._unguarded = conn.cursor_factory

    async def __aenter__(self) -> Self:
        self._conn.cursor_factory = partial(_GuardedCursor, self)  # type: ignore[assignment]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.confirmed or self._conn.closed or not isinstance(error, Exception | None):
            return  # nothing is left to say, or nobody who could say it, or nobody who listens
        if not isinstance(error, NotAuthenticated | SessionChanged):
            await self.look_up()

    def guarded(self, query: Query, params: Params | None, prepare: bool | None) -> tuple[str, list[Any]] | None:
        """`query` as one that finds nothing unless the session holds; None where the session is to be looked up first.

        That is what no query is, what is not text with a list of values, and what is planned anew each time: planning the
        question for the session each time was measured to cost more than asking it alone.
        """
        if prepare is False or not isinstance(query, str) or not isinstance(params, list | tuple):
            return None
        if query.lstrip()[:6].lower() != "select":
            return None
        return guarded(query, self._lifetime), [*params, self._hashed, self._known.mark]

    async def look_up(self) -> None:
        """Ask for the session alone; raises `NotAuthenticated` or `SessionChanged` unless it is as it was known."""
        self.hold()
        self._sessions.forget(self._hashed)
        found = await whose(self._conn, self._token, self._lifetime)
        if found.mark != self._known.mark:
            raise SessionChanged
        self._sessions.remember(self._hashed, found)

    def hold(self) -> None:
        """Nothing is left to be asked: from here on statements are sent as they are."""
        self.confirmed = True
        self._conn.cursor_factory = self._unguarded


class _GuardedCursor(Cursor[Any]):
    """A cursor of a connection whose session is not confirmed yet."""

    def __init__(self, guard: Guard, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = guard

    async def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """Run a statement, the session's question with it or before it."""
        guard = self._guard
        if not guard.confirmed:
            both = guard.guarded(query, params, prepare)
            if both is not None:
                await super().execute(*both, prepare=prepare, binary=binary)
                if self.rowcount:
                    guard.hold()
                    return self
            # Nothing was found: because there is nothing, or not for this session, or because it has to be noted as seen.
            await guard.look_up()
        return await super().execute(query, params, prepare=prepare, binary=binary)
