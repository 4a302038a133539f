"""PostgreSQL that heals: a database address, a pool that survives the server, errors one can act on."""

from __future__ import annotations

from esteio.postgres._causality import Session
from esteio.postgres._connection import Connection
from esteio.postgres._database import Database
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
from esteio.postgres._stats import DatabaseLost, DatabaseRestored, DatabaseStats, PoolStats
from esteio.postgres._tag import tagged
from esteio.postgres.sync import SyncConnection, SyncDatabase

__all__ = [
    "AuthenticationFailed",
    "Category",
    "CommitResolved",
    "CommitUnknown",
    "Connection",
    "ConnectionLeaked",
    "Database",
    "DatabaseLost",
    "DatabaseMissing",
    "DatabaseRestored",
    "DatabaseStats",
    "DatabaseUnavailable",
    "Dsn",
    "DsnError",
    "FailedOver",
    "HostReport",
    "LockTimeout",
    "OutOfResources",
    "Outcome",
    "PoolExhausted",
    "PoolStats",
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
