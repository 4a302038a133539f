"""PostgreSQL that heals: a database address, a pool that survives the server, errors one can act on.

The names are imported when first used: a command that only needs an address does not wait for the pools.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from esteio.extras import needs

if TYPE_CHECKING:
    from esteio.postgres._causality import Session
    from esteio.postgres._connection import Connection
    from esteio.postgres._cursor import Cursor
    from esteio.postgres._database import Database
    from esteio.postgres._disk_room import DiskNearlyFull, DiskRoom
    from esteio.postgres._dsn import Dsn, DsnError
    from esteio.postgres._errors import (
        AuthenticationFailed,
        Category,
        CommitUnknown,
        DatabaseMissing,
        DatabaseUnavailable,
        LockTimeout,
        OutOfResources,
        PoolExhausted,
        ReadOnlyServer,
        SerializationConflict,
        StatementTimeout,
        TlsUnavailable,
        TransactionTimeout,
        category,
        is_callers_fault,
        is_configuration,
        is_failover,
        is_retryable,
    )
    from esteio.postgres._events import CommitResolved, FailedOver, TransactionRetried
    from esteio.postgres._histogram import Times
    from esteio.postgres._hosts import HostReport, Role
    from esteio.postgres._leaks import ConnectionLeaked
    from esteio.postgres._outcome import Outcome
    from esteio.postgres._replication import ReplicaReport
    from esteio.postgres._slow import SlowQuery
    from esteio.postgres._statements import StatementStats
    from esteio.postgres._stats import DatabaseLost, DatabaseRestored, DatabaseStats
    from esteio.postgres._tag import tagged
    from esteio.postgres.sync import SyncConnection, SyncDatabase

__all__ = [
    "AuthenticationFailed",
    "Category",
    "CommitResolved",
    "CommitUnknown",
    "Connection",
    "ConnectionLeaked",
    "Cursor",
    "Database",
    "DatabaseLost",
    "DatabaseMissing",
    "DatabaseRestored",
    "DatabaseStats",
    "DatabaseUnavailable",
    "DiskNearlyFull",
    "DiskRoom",
    "Dsn",
    "DsnError",
    "FailedOver",
    "HostReport",
    "LockTimeout",
    "OutOfResources",
    "Outcome",
    "PoolExhausted",
    "ReadOnlyServer",
    "ReplicaReport",
    "Role",
    "SerializationConflict",
    "Session",
    "SlowQuery",
    "StatementStats",
    "StatementTimeout",
    "SyncConnection",
    "SyncDatabase",
    "Times",
    "TlsUnavailable",
    "TransactionRetried",
    "TransactionTimeout",
    "category",
    "is_callers_fault",
    "is_configuration",
    "is_failover",
    "is_retryable",
    "tagged",
]

_HOMES = {
    "AuthenticationFailed": "_errors",
    "Category": "_errors",
    "CommitResolved": "_events",
    "CommitUnknown": "_errors",
    "Connection": "_connection",
    "ConnectionLeaked": "_leaks",
    "Cursor": "_cursor",
    "Database": "_database",
    "DatabaseLost": "_stats",
    "DatabaseMissing": "_errors",
    "DatabaseRestored": "_stats",
    "DatabaseStats": "_stats",
    "DatabaseUnavailable": "_errors",
    "DiskNearlyFull": "_disk_room",
    "DiskRoom": "_disk_room",
    "Dsn": "_dsn",
    "DsnError": "_dsn",
    "FailedOver": "_events",
    "HostReport": "_hosts",
    "LockTimeout": "_errors",
    "OutOfResources": "_errors",
    "Outcome": "_outcome",
    "PoolExhausted": "_errors",
    "ReadOnlyServer": "_errors",
    "ReplicaReport": "_replication",
    "Role": "_hosts",
    "SerializationConflict": "_errors",
    "Session": "_causality",
    "SlowQuery": "_slow",
    "StatementStats": "_statements",
    "StatementTimeout": "_errors",
    "SyncConnection": "sync",
    "SyncDatabase": "sync",
    "Times": "_histogram",
    "TlsUnavailable": "_errors",
    "TransactionRetried": "_events",
    "TransactionTimeout": "_errors",
    "category": "_errors",
    "is_callers_fault": "_errors",
    "is_configuration": "_errors",
    "is_failover": "_errors",
    "is_retryable": "_errors",
    "tagged": "_tag",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    with needs("postgres"):
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
