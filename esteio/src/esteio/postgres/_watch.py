"""Looks at every statement: counts and times it, and reports one that was slow.

Promises: about a microsecond for a statement whose text was seen before. A failed or cancelled statement
counts too. Statements of COPY and `stream()` are not timed; those of a pipeline are, from being sent until
their result is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg._compat import Template
from psycopg.abc import PQGen, Query
from psycopg.sql import Composable, as_string

from esteio.clock import SYSTEM, Clock
from esteio.postgres._slow import SlowLog
from esteio.postgres._statements import Statements

if TYPE_CHECKING:
    from psycopg._cursor_base import BaseCursor
    from psycopg.pq.abc import PGresult

    _Base = BaseCursor[Any, Any]
else:
    _Base = object  # psycopg does not export what its cursors have in common

__all__ = ["Announcing", "Observer", "Watch", "Watched", "observe_statements"]

Observer = Callable[[str, str, float, "BaseException | None"], None]
"""Is told of each statement that ended: the database's name, the text, seconds, the error."""
_observers: tuple[Observer, ...] = ()
_lock = Lock()

_logger = logging.getLogger("esteio.postgres")


class Watch:
    """What one database knows of its statements."""

    def __init__(
        self,
        name: str,
        *,
        slow_warn: float | None = 1.0,
        slow_alert: float | None = 3.0,
        statements: Statements,
        application: str = "esteio",
        clock: Clock = SYSTEM,
    ) -> None:
        self.name = name
        self.application = application
        self.now: Callable[[], float] = monotonic if clock is SYSTEM else clock.monotonic
        self.statements = statements
        self._slow = SlowLog(name, slow_warn, slow_alert)
        self._patience = self._slow.patience

    def note(self, cursor: Watched, query: Query, params: object, began: float, error: BaseException | None) -> None:
        """A statement that began at `began` has ended."""
        ended = self.now()
        took = ended - began
        if error is None:
            cursor._conn.answered_at = ended  # noqa: SLF001
        # The statement is over, and may have changed something: what fails here must not look like its failure, nor
        # take the place of its error (the text of a composed statement cannot be had on a lost connection).
        try:
            sql = query if type(query) is str else _text_of(cursor, query)
            self.statements.observe(sql, took, error is not None)
            if took >= self._patience:
                self._slow.log_and_emit(sql, params, took, ended, error)
            for each in _observers:
                each(self.name, sql, took, error)
        except Exception:
            _logger.exception("database %s: a statement could not be counted", self.name)


def observe_statements(observer: Observer) -> Callable[[], None]:
    """Tell `observer` of every statement of every database from now on; the returned function ends that."""
    global _observers  # noqa: PLW0603 - replaced whole, so that it can be read without a lock
    own = partial(observer)  # the same one may observe twice
    with _lock:  # two threads that read the same tuple would lose one
        _observers = (*_observers, own)

    def end() -> None:
        global _observers  # noqa: PLW0603
        with _lock:
            _observers = tuple([each for each in _observers if each is not own])

    return end


def _text_of(cursor: Announcing, query: Query) -> str:
    """The text of a statement that is not simply text; one that was put together is put together again."""
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return as_string(query, cursor) if isinstance(query, Composable | Template) else str(query)


class Announcing(_Base):
    """What all our cursors do: their connection sees each statement before it is sent."""

    # Each of these begins a statement, of executemany(), stream() and copy() and of a cursor on the server, inside and
    # outside of pipelines. That of execute(), by which nearly all come, is announced there: a call less.

    def _executemany_gen_pipeline(self, query: Query, *args: Any, **options: Any) -> PQGen[None]:
        self.announce(query)
        return super()._executemany_gen_pipeline(query, *args, **options)

    def _executemany_gen_no_pipeline(self, query: Query, *args: Any, **options: Any) -> PQGen[None]:
        self.announce(query)
        return super()._executemany_gen_no_pipeline(query, *args, **options)

    def _stream_send_gen(self, query: Query, *args: Any, **options: Any) -> PQGen[None]:
        self.announce(query)
        return super()._stream_send_gen(query, *args, **options)

    def _start_copy_gen(self, statement: Query, *args: Any, **options: Any) -> PQGen[None]:
        self.announce(statement)
        return super()._start_copy_gen(statement, *args, **options)

    def _declare_gen(self, query: Query, *args: Any, **options: Any) -> PQGen[None]:
        self.announce(query)
        server_cursor: Any = super()  # the only kind of cursor that declares anything
        if server_cursor.withhold:
            self._conn.altered = True  # it stays open after its transaction
        declaring: PQGen[None] = server_cursor._declare_gen(query, *args, **options)  # noqa: SLF001
        return declaring

    def announce(self, query: Query) -> None:
        """Tell the connection, before it is sent."""
        announce = getattr(self._conn, "announce", None)  # only connections of our pools have it
        if announce is not None:
            announce(query if type(query) is str else _text_of(self, query))


class Watched(Announcing):
    """What both flavours of cursors know: who watches, and what a pipeline has sent."""

    _sent: tuple[Query, object, float] | None = None

    @property
    def _watch(self) -> Watch | None:
        watch: Watch | None = getattr(self._conn, "watch", None)
        return watch

    def _check_results(self, results: list[PGresult]) -> None:
        # Where the driver hands over the result of a statement that was sent in a pipeline.
        sent = self._sent
        if sent is None or (watch := self._watch) is None:
            return super()._check_results(results)
        (query, params, began), self._sent = sent, None
        try:
            super()._check_results(results)
        except psycopg.Error as error:
            watch.note(self, query, params, began, error)
            raise
        watch.note(self, query, params, began, None)
        return None
