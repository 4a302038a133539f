"""What can go wrong with the database: the kinds, the table of SQLSTATEs, and the one translation between them."""

from __future__ import annotations

from esteio.postgres._errors._kinds import (
    AuthenticationFailed,
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
)
from esteio.postgres._errors._sqlstate import Category, category_of
from esteio.postgres._errors._translation import (
    category,
    copy_error,
    first_line,
    is_callers_fault,
    is_configuration,
    is_connection_loss,
    is_failover,
    is_retryable,
    translate,
)

__all__ = [
    "AuthenticationFailed",
    "Category",
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
    "category",
    "category_of",
    "copy_error",
    "first_line",
    "is_callers_fault",
    "is_configuration",
    "is_connection_loss",
    "is_failover",
    "is_retryable",
    "translate",
]
