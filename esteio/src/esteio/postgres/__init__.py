"""PostgreSQL that heals: a database address, a pool that survives the server, errors one can act on."""

from __future__ import annotations

from esteio.postgres._connection import Connection
from esteio.postgres._database import Database
from esteio.postgres._dsn import Dsn, DsnError
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, SerializationConflict, StatementTimeout
from esteio.postgres._stats import DatabaseLost, DatabaseRestored, PoolStats

__all__ = [
    "Connection",
    "Database",
    "DatabaseLost",
    "DatabaseRestored",
    "DatabaseUnavailable",
    "Dsn",
    "DsnError",
    "PoolExhausted",
    "PoolStats",
    "SerializationConflict",
    "StatementTimeout",
]
