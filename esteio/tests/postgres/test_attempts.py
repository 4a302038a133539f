"""When a transaction runs again."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres import DatabaseUnavailable
from esteio.postgres._attempts import Attempts, Trouble, trouble
from esteio.postgres._hosts import Role
from esteio.postgres._transaction import server_refused


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.SerializationFailure("no"), Trouble.CONFLICT),
        (psycopg.errors.DeadlockDetected("no"), Trouble.CONFLICT),
        (psycopg.errors.AdminShutdown("no"), Trouble.LOST),
        (psycopg.errors.CrashShutdown("no"), Trouble.LOST),
        (psycopg.errors.CannotConnectNow("no"), Trouble.LOST),
        (psycopg.errors.ConnectionFailure("no"), Trouble.LOST),
        (psycopg.OperationalError("server closed the connection unexpectedly"), Trouble.LOST),
        (psycopg.errors.ReadOnlySqlTransaction("no"), Trouble.DEMOTED),
        (psycopg.errors.UniqueViolation("no"), Trouble.OTHER),
        (psycopg.errors.QueryCanceled("statement timeout"), Trouble.OTHER),
        (psycopg.errors.IdleInTransactionSessionTimeout("no"), Trouble.OTHER),
        (ValueError("no"), Trouble.OTHER),
        (DatabaseUnavailable("another", "no"), Trouble.OTHER),
        (KeyboardInterrupt(), Trouble.OTHER),
    ],
)
def test_errors_are_told_apart(error: BaseException, kind: Trouble) -> None:
    assert trouble(error) is kind


def test_a_primary_that_refuses_to_write_was_told_so_by_the_caller() -> None:
    error = psycopg.errors.ReadOnlySqlTransaction("no")
    assert trouble(error, Role.PRIMARY) is Trouble.OTHER
    assert trouble(error, Role.READ_ONLY) is Trouble.DEMOTED


def test_a_conflict_alone_says_nothing_of_the_other_connections() -> None:
    assert [kind for kind in Trouble if not kind.ends_generation] == [Trouble.CONFLICT, Trouble.OTHER]
    assert [kind for kind in Trouble if kind.before_it_ran] == [Trouble.DEMOTED, Trouble.OUTDATED]


def test_the_first_loss_is_tried_again_at_once_and_conflicts_wait() -> None:
    plan = Attempts(10, float("inf"), lambda: 1.0)
    waits = [plan.again(kind, 0.0) for kind in (Trouble.LOST, Trouble.LOST, Trouble.CONFLICT, Trouble.CONFLICT)]
    assert waits == pytest.approx([0.0, 0.04, 0.004, 0.008])
    assert plan.again(Trouble.OTHER, 0.0) is None


@given(
    st.integers(1, 12), st.floats(0, 2), st.lists(st.sampled_from([Trouble.LOST, Trouble.CONFLICT, Trouble.DEMOTED]))
)
def test_attempts_end_by_number_and_by_time(limit: int, expires: float, kinds: list[Trouble]) -> None:
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
    assert trouble(error) is Trouble.LOST
    assert not server_refused(error)
    assert server_refused(psycopg.errors.SerializationFailure("40001"))
    assert not server_refused(psycopg.errors.AdminShutdown("57P01"))
