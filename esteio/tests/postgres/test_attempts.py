"""When a transaction runs again."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres import DatabaseUnavailable
from esteio.postgres._attempts import Attempts, ErrorKind, classify
from esteio.postgres._commands import server_refused
from esteio.postgres._hosts import Role


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.SerializationFailure("no"), ErrorKind.CONFLICT),
        (psycopg.errors.DeadlockDetected("no"), ErrorKind.CONFLICT),
        (psycopg.errors.AdminShutdown("no"), ErrorKind.LOST),
        (psycopg.errors.CrashShutdown("no"), ErrorKind.LOST),
        (psycopg.errors.CannotConnectNow("no"), ErrorKind.LOST),
        (psycopg.errors.ConnectionFailure("no"), ErrorKind.LOST),
        (psycopg.OperationalError("server closed the connection unexpectedly"), ErrorKind.LOST),
        (psycopg.errors.ReadOnlySqlTransaction("no"), ErrorKind.DEMOTED),
        (psycopg.errors.UniqueViolation("no"), ErrorKind.OTHER),
        (psycopg.errors.QueryCanceled("statement timeout"), ErrorKind.OTHER),
        (psycopg.errors.IdleInTransactionSessionTimeout("no"), ErrorKind.OTHER),
        (ValueError("no"), ErrorKind.OTHER),
        (DatabaseUnavailable("another", "no"), ErrorKind.OTHER),
        (KeyboardInterrupt(), ErrorKind.OTHER),
    ],
)
def test_errors_are_told_apart(error: BaseException, kind: ErrorKind) -> None:
    assert classify(error) is kind


def test_a_primary_that_refuses_to_write_was_told_so_by_the_caller() -> None:
    error = psycopg.errors.ReadOnlySqlTransaction("no")
    assert classify(error, Role.PRIMARY) is ErrorKind.OTHER
    assert classify(error, Role.READ_ONLY) is ErrorKind.DEMOTED


def test_a_conflict_alone_says_nothing_of_the_other_connections() -> None:
    assert [kind for kind in ErrorKind if not kind.ends_generation] == [ErrorKind.CONFLICT, ErrorKind.OTHER]
    assert [kind for kind in ErrorKind if kind.before_it_ran] == [ErrorKind.DEMOTED, ErrorKind.OUTDATED]


def test_the_first_loss_is_tried_again_at_once_and_conflicts_wait() -> None:
    plan = Attempts(10, float("inf"), lambda: 1.0)
    waits = [plan.again(kind, 0.0) for kind in (ErrorKind.LOST, ErrorKind.LOST, ErrorKind.CONFLICT, ErrorKind.CONFLICT)]
    assert waits == pytest.approx([0.0, 0.04, 0.004, 0.008])
    assert plan.again(ErrorKind.OTHER, 0.0) is None


@given(
    st.integers(1, 12),
    st.floats(0, 2),
    st.lists(st.sampled_from([ErrorKind.LOST, ErrorKind.CONFLICT, ErrorKind.DEMOTED])),
)
def test_attempts_end_by_number_and_by_time(limit: int, expires: float, kinds: list[ErrorKind]) -> None:
    plan, now, begun = Attempts(limit, expires, lambda: 0.5), 0.0, 1
    for kind in kinds:
        wait = plan.again(kind, now)
        if wait is None:
            break
        now, begun = now + wait, begun + 1
        assert now < expires
    assert begun <= limit


@pytest.mark.parametrize(
    "words", ["SSL error: tlsv1 alert internal error", "SSL error: certificate expired", "", "EOF"]
)
def test_what_libpq_says_of_an_open_session_is_its_loss_and_never_the_servers_answer_to_commit(words: str) -> None:
    error = psycopg.OperationalError(words)
    assert classify(error) is ErrorKind.LOST
    assert not server_refused(error)
    assert server_refused(psycopg.errors.SerializationFailure("40001"))
    assert not server_refused(psycopg.errors.AdminShutdown("57P01"))
