"""The errors a caller can react to, in Esteio's own words.

Promises: each has a `category`, the `name` of the database or pool, and says in its message what was hit
and what to do. `not_sent` is true where nothing reached the server, so that `esteio.policy.Retry` may try
again whatever the statement was.
"""

from __future__ import annotations

from typing import ClassVar

from esteio.errors import EsteioError
from esteio.postgres._errors._sqlstate import Category

__all__ = [
    "AuthenticationFailed",
    "CommitUnknown",
    "DatabaseMissing",
    "DatabaseUnavailable",
    "LockTimeout",
    "OutOfResources",
    "PoolExhausted",
    "ReadOnlyServer",
    "SerializationConflict",
    "StatementTimeout",
    "TlsUnavailable",
    "TransactionTimeout",
]


class DatabaseUnavailable(EsteioError):
    """No usable connection: the server is away, starting, stopping, or cut the connection."""

    category: ClassVar[Category] = Category.FAILOVER

    def __init__(
        self,
        name: str,
        reason: str,
        *,
        sqlstate: str | None = None,
        retry_after: float | None = 1.0,
        not_sent: bool = False,
    ) -> None:
        self.name = name
        self.reason = reason
        self.sqlstate = sqlstate
        self.retry_after = retry_after
        self.not_sent = not_sent
        super().__init__(f"database {name!r} is unavailable: {reason}{self._advice()}")

    def _advice(self) -> str:
        return "" if self.retry_after is None else f"; it reconnects by itself, try again in {self.retry_after:g} s"


class ReadOnlyServer(DatabaseUnavailable):
    """A write reached a server that takes none: a standby, or a primary that was demoted."""


class _Misconfigured(DatabaseUnavailable):
    """Nobody gets in until somebody changes a setting."""

    category = Category.CONFIGURATION
    remedy: ClassVar[str]

    def __init__(self, name: str, reason: str, *, sqlstate: str | None = None) -> None:
        super().__init__(name, reason, sqlstate=sqlstate, retry_after=None, not_sent=True)

    def _advice(self) -> str:
        return f"; {self.remedy}"


class AuthenticationFailed(_Misconfigured):
    """The server refused the account or its password."""

    remedy = "check user and password of the URL and the server's pg_hba.conf; it is asked again only now and then"


class DatabaseMissing(_Misconfigured):
    """The server has no such database."""

    remedy = "create it or correct the name in the URL; it is asked again only now and then"


class TlsUnavailable(_Misconfigured):
    """The connection could not be encrypted as the URL demands."""

    remedy = (
        "check sslmode and sslrootcert of the URL and the server's certificate; it is asked again only now and then"
    )


class PoolExhausted(EsteioError):
    """Every connection is in use, and the wait for one was too long or the queue too full."""

    category: ClassVar[Category] = Category.RESOURCES
    not_sent: ClassVar[bool] = True

    def __init__(
        self, name: str, *, waited: float, in_use: int, size: int, max_size: int, waiting: int, max_waiting: int
    ) -> None:
        self.name = name
        self.waited = waited
        self.in_use = in_use
        self.size = size
        self.max_size = max_size
        self.waiting = waiting
        self.max_waiting = max_waiting
        self.retry_after = 1.0
        limit = f"none came free within {waited:g} s" if waited else "the queue is full"
        super().__init__(
            f"pool {name!r} is exhausted: {in_use} of at most {max_size} connections in use ({size} open), "
            f"{waiting} of at most {max_waiting} callers waiting, {limit}; "
            "hold connections for a shorter time or raise connection_limit"
        )


class OutOfResources(EsteioError):
    """The server refused a statement for want of disk, memory or another resource of its own."""

    category: ClassVar[Category] = Category.RESOURCES

    def __init__(self, name: str, detail: str, *, sqlstate: str) -> None:
        self.name = name
        self.detail = detail
        self.sqlstate = sqlstate
        self.retry_after = 5.0
        super().__init__(
            f"database {name!r} is short of resources: {detail} (SQLSTATE {sqlstate}); "
            "free some on the server, then try again"
        )


class StatementTimeout(EsteioError):
    """The server stopped a statement that ran longer than the session allows."""

    category: ClassVar[Category] = Category.TIMEOUT

    def __init__(self, name: str, detail: str, *, limit_ms: int) -> None:
        self.name = name
        self.detail = detail
        self.limit_ms = limit_ms
        super().__init__(
            f"database {name!r} stopped a statement: {detail} (statement_timeout is {limit_ms} ms); "
            "make the query cheaper or raise statement_timeout"
        )


class LockTimeout(EsteioError):
    """Another transaction holds the lock, and the wait for it was longer than lock_timeout or not wanted (NOWAIT)."""

    category: ClassVar[Category] = Category.TIMEOUT

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        self.detail = detail
        self.retry_after = 1.0
        super().__init__(
            f"database {name!r} gave a lock to somebody else: {detail}; nothing was changed, try the transaction "
            "again later, or see who holds it in the report"
        )


class TransactionTimeout(EsteioError):
    """The server ended a transaction that idled or lasted longer than the session allows; it was rolled back."""

    category: ClassVar[Category] = Category.TIMEOUT

    def __init__(self, name: str, detail: str, *, sqlstate: str) -> None:
        self.name = name
        self.detail = detail
        self.sqlstate = sqlstate
        super().__init__(
            f"database {name!r} ended a transaction: {detail} (SQLSTATE {sqlstate}); "
            "do slow work before it begins or after it ends"
        )


class SerializationConflict(EsteioError):
    """Two transactions got in each other's way; the whole transaction may be tried again."""

    category: ClassVar[Category] = Category.CONFLICT

    def __init__(self, name: str, detail: str, *, sqlstate: str) -> None:
        self.name = name
        self.detail = detail
        self.sqlstate = sqlstate
        self.retry_after = 0.0
        super().__init__(
            f"database {name!r} rolled back a transaction: {detail} (SQLSTATE {sqlstate}); "
            "run the whole transaction again"
        )


class CommitUnknown(EsteioError):
    """COMMIT was sent, its answer was lost, and what became of transaction `xid` could not be found out."""

    category: ClassVar[Category] = Category.FAILOVER

    def __init__(self, name: str, xid: int | None, reason: str) -> None:
        self.name = name
        self.xid = xid
        self.reason = reason
        which = "a transaction" if xid is None else f"transaction {xid}"
        ask = "" if xid is None else f"SELECT pg_xact_status('{xid}') on the server tells; "
        super().__init__(
            f"database {name!r}: whether {which} was committed is unknown: {reason}; "
            f"{ask}look at the data before doing it again"
        )
