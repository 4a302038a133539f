"""Why a migration did not run; in each case the database is as it was before it."""

from __future__ import annotations

from esteio.errors import EsteioError

__all__ = ["MigrationBlocked", "MigrationError", "MigrationInProgress", "MigrationTooLong", "UnsafeMigration"]

_SHOWN = 200


class MigrationError(EsteioError):
    """Base of the errors of migrations."""


class UnsafeMigration(MigrationError):
    """A statement would block a big table, and the migration does not say that it may."""

    def __init__(self, statement: str, table: str, size: str, problem: str, advice: str) -> None:
        self.statement = statement
        self.table = table
        self.size = size
        self.problem = problem
        self.advice = advice
        super().__init__(
            f"migration refused: table {table} ({size}) {problem}: {_shortened(statement)}; {advice}, "
            'or declare it (blocking="why this is acceptable") and run it when nobody is there'
        )


class MigrationTooLong(MigrationError):
    """A statement took longer than it may keep others waiting."""

    def __init__(self, statement: str, limit: float) -> None:
        self.statement = statement
        self.limit = limit
        super().__init__(
            f"migration stopped: a statement that may keep others waiting ran for {limit:g} s: {_shortened(statement)}; "
            'split it, or declare it (blocking="why this is acceptable") and run it when nobody is there'
        )


class MigrationInProgress(MigrationError):
    """Another migrator holds the lock for longer than we may wait."""

    def __init__(self, key: int, waited: float, holder: str) -> None:
        self.key = key
        self.waited = waited
        self.holder = holder
        super().__init__(
            f"migration not begun: another one has the advisory lock {key} ({holder}), waited {waited:g} s; "
            "let it finish, or end that session with pg_terminate_backend"
        )


class MigrationBlocked(MigrationError):
    """A table stayed locked by others in every attempt."""

    def __init__(self, attempts: int, seconds: float, cause: str, oldest: str) -> None:
        self.attempts = attempts
        self.seconds = seconds
        self.cause = cause
        self.oldest = oldest
        super().__init__(
            f"migration given up after {attempts} attempts in {seconds:.1f} s, each rolled back: {cause}; "
            f"oldest open transaction: {oldest}; end it, or try again when it is quiet"
        )


def _shortened(statement: str) -> str:
    shown = " ".join(statement.split())
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
