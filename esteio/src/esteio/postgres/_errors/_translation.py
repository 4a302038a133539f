"""From the driver's error to ours.

Promises: `translate` is the one place where a driver's error becomes an Esteio error; it maps what a caller
can react to and leaves the caller's own mistakes (a constraint, a syntax error) as the driver raised them.
The predicates answer alike for a driver's error and for what `translate` made of it. Errors of libpq carry
no SQLSTATE; they are told apart by their text, in the languages a server is likely to speak, and count as
"server away" where it is not understood.
"""

from __future__ import annotations

import re

import psycopg

from esteio.errors import EsteioError
from esteio.postgres._errors._kinds import (
    AuthenticationFailed,
    DatabaseMissing,
    DatabaseUnavailable,
    LockTimeout,
    OutOfResources,
    ReadOnlyServer,
    SerializationConflict,
    StatementTimeout,
    TlsUnavailable,
    TransactionTimeout,
)
from esteio.postgres._errors._sqlstate import Category, category_of

__all__ = [
    "category",
    "copy_error",
    "first_line",
    "is_callers_fault",
    "is_configuration",
    "is_connection_loss",
    "is_failover",
    "is_retryable",
    "translate",
]

_CANCELED = "57014"
_READ_ONLY = "25006"
_STALE_PLAN = "0A000"
_TOO_MANY_CONNECTIONS = "53300"
_ENDS_TRANSACTION = frozenset({"25P03", "25P04"})
_DROPPED = "57P04"
_ENDS_SESSION = _ENDS_TRANSACTION | {_TOO_MANY_CONNECTIONS, _DROPPED}

_REFUSED: tuple[tuple[str, re.Pattern[str]], ...] = (
    # What may follow "FATAL:", and libpq's own words, and the SQLSTATE that the server sent with it.
    ("28P01", re.compile(r"password authentication failed|no password supplied|do tipo senha falhou")),
    ("3D000", re.compile(r"database \".*\" does not exist|banco de dados \".*\" não existe")),
    ("28000", re.compile(r"pg_hba\.conf|role \".*\" (does not exist|is not permitted)|authentication failed")),
    ("28000", re.compile(r"permission denied for database|role \".*\" não (existe|tem permissão)")),
    ("53300", re.compile(r"too many clients|too many connections|connection slots are reserved|muitos clientes")),
    ("57P03", re.compile(r"database system is (starting up|shutting down|in recovery|not yet accepting)")),
    ("25006", re.compile(r"session is read-only|server is in hot standby mode")),
    ("tls", re.compile(r"does not support SSL|certificate|SSL negotiation|alert|unsupported protocol|version number")),
)
_TLS = "tls"
_SEVERAL_HOSTS = "Multiple connection attempts failed. All failures were:\n- "


def category(error: BaseException) -> Category | None:
    """What `error` means, be it the driver's or ours; None for an error that has nothing to do with a database."""
    if isinstance(error, EsteioError):
        ours: Category | None = getattr(error, "category", None)
        return ours
    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate
    if state is None:
        return _category_of_libpq(error)
    if state == _CANCELED and _ran_too_long(error):
        return Category.TIMEOUT
    if state == _STALE_PLAN and _plan_is_stale(error):
        return Category.CONFLICT
    return category_of(state)


def is_retryable(error: BaseException) -> bool:
    """Whether the server rolled the transaction back for no fault of its own, so that it may run again as a whole."""
    return category(error) is Category.CONFLICT


def is_failover(error: BaseException) -> bool:
    """Whether all connections to that server should be given up for new ones. CommitUnknown counts too."""
    return category(error) is Category.FAILOVER


def is_callers_fault(error: BaseException) -> bool:
    """Whether the statement or its values are to blame, so that trying again fails again."""
    return category(error) is Category.CALLER


def is_configuration(error: BaseException) -> bool:
    """Whether an address, an account or a certificate has to be corrected first."""
    return category(error) is Category.CONFIGURATION


def is_connection_loss(error: BaseException) -> bool:
    """Whether the connection that raised `error` can no longer be used."""
    if not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    if state is None:  # libpq's own
        return isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.PipelineAborted)
    if state in _ENDS_SESSION:
        return True
    if state == _STALE_PLAN:
        return _plan_is_stale(error)  # psycopg goes on using what it prepared
    return state != _READ_ONLY and category_of(state) is Category.FAILOVER


def translate(error: BaseException, name: str, statement_timeout_ms: int) -> EsteioError | None:
    """The Esteio error that `error` of database `name` means, or None where it shall pass unchanged."""
    if not isinstance(error, psycopg.Error):
        return None
    text = first_line(error)
    state = error.sqlstate or _state_of_libpq(error)
    match category(error):
        case Category.CONFLICT:
            return SerializationConflict(name, text, sqlstate=str(state))
        case Category.TIMEOUT:
            return _too_long(name, text, str(state), statement_timeout_ms)
        case Category.CONFIGURATION:
            return _misconfigured(name, text, str(state), connecting=error.sqlstate is None)
        case Category.RESOURCES if state != _TOO_MANY_CONNECTIONS:
            return OutOfResources(name, text, sqlstate=str(state))
        case Category.RESOURCES:
            return DatabaseUnavailable(name, text, sqlstate=state)
        case Category.FAILOVER:
            kind = ReadOnlyServer if state == _READ_ONLY else DatabaseUnavailable
            return kind(name, text, sqlstate=state)
        case _:
            return None


def copy_error(error: DatabaseUnavailable) -> DatabaseUnavailable:
    """A copy of `error` for one caller: an exception that is raised carries that caller's traceback."""
    copy = error.__class__.__new__(error.__class__, *error.args)
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    return copy


def first_line(error: BaseException) -> str:
    """What `error` says, shortened to its first line."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _too_long(name: str, text: str, state: str, statement_timeout_ms: int) -> EsteioError:
    if state == _CANCELED:
        return StatementTimeout(name, text, limit_ms=statement_timeout_ms)
    if state in _ENDS_TRANSACTION:
        return TransactionTimeout(name, text, sqlstate=state)
    return LockTimeout(name, text)


def _misconfigured(name: str, text: str, state: str, *, connecting: bool) -> EsteioError | None:
    if state == _DROPPED:
        return DatabaseMissing(name, text, sqlstate=state, not_sent=False)
    if not connecting:  # a statement about roles or databases: its caller's business
        return None
    if state == _TLS:
        return TlsUnavailable(name, text)
    kind = AuthenticationFailed if state.startswith("28") else DatabaseMissing
    return kind(name, text, sqlstate=state)


def _ran_too_long(error: psycopg.Error) -> bool:
    # The same code also tells of a cancel by somebody; the word is kept in the translations of the server.
    return "timeout" in first_line(error)


def _plan_is_stale(error: psycopg.Error) -> bool:
    # The schema changed under a prepared statement: a new connection prepares it anew.
    return error.diag.source_function == "RevalidateCachedQuery"


def _state_of_libpq(error: psycopg.Error) -> str | None:
    _, several, hosts = str(error).partition(_SEVERAL_HOSTS)
    states = {_state_in(line) for line in (hosts.split("\n- ") if several else [str(error)])}
    return states.pop() if len(states) == 1 else None  # one refusal among several hosts is not the last word


def _state_in(text: str) -> str | None:
    return next((state for state, words in _REFUSED if words.search(text)), None)


def _category_of_libpq(error: psycopg.Error) -> Category:
    if isinstance(error, psycopg.errors.PipelineAborted) or not isinstance(error, psycopg.OperationalError):
        return Category.CALLER
    state = _state_of_libpq(error)
    if state == _TLS:
        return Category.CONFIGURATION
    return Category.FAILOVER if state is None else category_of(state)
