"""PostgreSQL that heals: a database address, a pool that survives the server, errors one can act on."""

from __future__ import annotations

from esteio.postgres._causality import Session
from esteio.postgres._connection import Connection
from esteio.postgres._database import Database
from esteio.postgres._dsn import Dsn, DsnError
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, SerializationConflict, StatementTimeout
from esteio.postgres._events import CommitResolved, FailedOver, TransactionRetried
from esteio.postgres._hosts import HostReport, Role
from esteio.postgres._outcome import CommitUnknown, Outcome
from esteio.postgres._refusal import DatabaseMissing, LoginRefused, TlsRefused
from esteio.postgres._replication import ReplicaReport
from esteio.postgres._stats import DatabaseLost, DatabaseRestored, PoolStats

__all__ = [
    "CommitResolved",
    "CommitUnknown",
    "Connection",
    "Database",
    "DatabaseLost",
    "DatabaseMissing",
    "DatabaseRestored",
    "DatabaseUnavailable",
    "Dsn",
    "DsnError",
    "FailedOver",
    "HostReport",
    "LoginRefused",
    "Outcome",
    "PoolExhausted",
    "PoolStats",
    "ReplicaReport",
    "Role",
    "SerializationConflict",
    "Session",
    "StatementTimeout",
    "TlsRefused",
    "TransactionRetried",
]
