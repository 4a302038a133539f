"""A migration under watch.

Promises: a statement that would rewrite, read or index a big table under a lock is refused before it runs where its
text or the catalog tells; where only the doing tells (a DO block, a domain, a second statement while the first one's
lock is still held), the server's own account of the transaction is read after each statement - the table's file, its
locks, the rows read - and `UnsafeMigration` raised before anything can be committed. Until then such a statement is
bounded by `MigrationRules.hold` on the server. A declared migration (`blocking`) runs as it is, and is logged.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from psycopg import Connection, errors, sql
from psycopg.pq import TransactionStatus

from esteio.postgres.migrations._catalog import BigTable, Seen, applies, big_tables, look, table_of
from esteio.postgres.migrations._errors import MigrationTooLong, UnsafeMigration
from esteio.postgres.migrations._hazards import changes_definition, hazards, index_built_beside, runs_alone
from esteio.postgres.migrations._rules import MigrationRules
from esteio.postgres.migrations._statements import Statement, statements

__all__ = ["Guard", "blocking"]

_logger = logging.getLogger("esteio.postgres")
_reason: ContextVar[str | None] = ContextVar("esteio_migration_blocking", default=None)

_APART = (
    "split it into migrations that are committed one by one (Alembic: each=True), so that the lock is not held while the "
    "table is worked on"
)


@contextlib.contextmanager
def blocking(reason: str | None) -> Iterator[None]:
    """Statements in this block may keep others from a big table, because of `reason`; None changes nothing."""
    if reason is not None and not reason.strip():
        msg = f"a migration's blocking is {reason!r}; allowed: a sentence that says why it is acceptable"
        raise ValueError(msg)
    token = _reason.set(reason if reason is not None else _reason.get())
    try:
        yield
    finally:
        _reason.reset(token)


class Guard:
    """Watches what a migration does on `conn`, from now on."""

    def __init__(self, conn: Connection[Any], rules: MigrationRules) -> None:
        self._conn = conn
        self._rules = rules
        self._big = big_tables(conn, rules)
        self._before: dict[int, Seen] = {}

    def execute(self, text: str) -> None:
        """Run the statements of `text` one by one, each under watch; no placeholder is interpreted."""
        for statement in statements(text):
            self.before(statement.text)
            try:
                self._conn.execute(statement.text.encode())
            except errors.QueryCanceled as error:
                self.canceled(statement.text, error)
                raise
            self.after(statement.text)

    def before(self, text: str) -> None:
        """What has to be known, and set, before `text` runs; UnsafeMigration when it must not."""
        found = statements(text)
        self._before = look(self._conn, self._big)
        for statement in found:
            if _reason.get() is None:
                self._refuse_hazards(statement)
            self._remove_unfinished(index_built_beside(statement))
        self._limit(found)

    def after(self, text: str) -> None:
        """Look at what `text` did; UnsafeMigration when it must not be committed."""
        if self._conn.info.transaction_status != TransactionStatus.INTRANS:
            return
        now = look(self._conn, self._big)
        for oid, table in self._big.items():
            if oid in self._before:
                problem = self._done(table, self._before[oid], now.get(oid))
                if problem:
                    self._object(UnsafeMigration(text, table.name, table.size, problem, _APART))

    def canceled(self, text: str, error: errors.QueryCanceled) -> None:
        """MigrationTooLong if `error` means that `text` ran into its limit."""
        if "statement timeout" in str(error):
            raise MigrationTooLong(text, self._rules.hold) from error

    def _refuse_hazards(self, statement: Statement) -> None:
        for hazard in hazards(statement):
            oid = table_of(self._conn, hazard.relation) if self._big else None
            table = self._big.get(oid) if oid is not None else None
            if oid is not None and table is not None and applies(self._conn, oid, hazard):
                raise UnsafeMigration(statement.text, table.name, table.size, hazard.problem, hazard.advice)

    def _done(self, table: BigTable, before: Seen, now: Seen | None) -> str:
        if now is None:
            return "was dropped, which running programs may still use"
        if now.file != before.file:
            return "was rewritten while nobody could read it"
        if now.lock and now.read - before.read > min(self._rules.big_rows / 10, table.rows / 2):
            return f"was read from end to end while locked ({now.lock})"
        return ""

    def _object(self, objection: UnsafeMigration) -> None:
        reason = _reason.get()
        if reason is None:
            raise objection
        _logger.warning("migration blocks table %s (%s), as declared: %s", objection.table, objection.size, reason)

    def _limit(self, found: list[Statement]) -> None:
        """Have the server stop a statement that keeps others waiting for too long."""
        locked = any(seen.lock for seen in self._before.values())
        brief = locked or any(changes_definition(statement) for statement in found)
        # CONCURRENTLY, and a plain VACUUM, wait for others without anybody waiting behind them.
        beside = any(runs_alone(statement) and not changes_definition(statement) for statement in found)
        limit = 0.0 if beside or not brief or _reason.get() is not None else self._rules.hold
        lock_timeout = 0.0 if beside else self._rules.lock_timeout
        query = "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)"
        self._conn.execute(query, [f"{limit * 1000:.0f}", f"{lock_timeout * 1000:.0f}"])

    def _remove_unfinished(self, index: str) -> None:
        """Drop the invalid index that an interrupted CREATE INDEX CONCURRENTLY left, or IF NOT EXISTS would keep it."""
        query = "SELECT indexrelid::regclass::text FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid"
        if index and self._conn.info.transaction_status == TransactionStatus.IDLE:
            found = self._conn.execute(query, [index]).fetchone()
            if found:
                _logger.warning("index %s was left unfinished: dropped", found[0])
                self._conn.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.SQL(found[0])))
