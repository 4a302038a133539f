"""A caller's own block with a connection of a thread: run once, whatever happens."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from esteio.postgres.sync._connection import SyncConnection

if TYPE_CHECKING:
    from esteio.postgres.sync._database import SyncDatabase

__all__ = ["SyncBorrowed"]


class SyncBorrowed:
    """A block with a connection; a class because that is half the cost of a generator."""

    __slots__ = ("_conn", "_database", "_timeout")

    def __init__(self, database: SyncDatabase, timeout: float | None) -> None:
        self._database = database
        self._timeout = timeout

    def __enter__(self) -> SyncConnection:
        self._conn = conn = self._database.borrow(self._timeout)
        return conn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        what = self._database.give_back(self._conn, error)
        if error is not None:
            self._database.in_our_words(error, what)
