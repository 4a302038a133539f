"""Which replica may answer: decided from measurements alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres._causality import CURRENT, Session, session
from esteio.postgres._replication import Lag, Replication, format_lsn, parse_lsn

BOUND = Lag(seconds=10.0, bytes=1000, freshness=3.0)


def measured(primary: list[tuple[int, float]], **replicas: tuple[int, float]) -> Replication:
    replication = Replication(BOUND)
    for lsn, asked in primary:
        replication.primary_at(lsn, lsn, asked)
    for name, (lsn, now) in replicas.items():
        replication.replica_at(name, lsn, now)
    return replication


@given(st.integers(0, 2**64 - 1))
def test_positions_are_read_as_postgresql_writes_them(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


@pytest.mark.parametrize("text", ["", "0", "0/", "0/123456789", "x/1", "0/1;", " 0/1"])
def test_a_token_from_outside_is_checked(text: str) -> None:
    with pytest.raises(ValueError, match="no position in a write-ahead log"):
        Session(text)


def test_a_replica_is_used_when_it_is_near_fresh_and_has_seen_what_the_caller_has() -> None:
    replication = measured([(500, 0.0), (1000, 1.0)], near=(1000, 1.5), behind=(600, 1.5))
    assert replication.usable(0, 2.0) == ["near", "behind"]
    assert replication.usable(700, 2.0) == ["near"]
    assert replication.usable(1001, 2.0) == []
    assert replication.usable(0, 5.0) == [], "not measured for three seconds"


def test_a_replica_too_many_bytes_or_seconds_behind_is_not_used() -> None:
    assert measured([(0, 0.0), (5000, 1.0)], far=(3999, 1.0)).usable(0, 1.0) == []
    assert measured([(0, 0.0), (5000, 1.0)], far=(4000, 1.0)).usable(0, 1.0) == ["far"]
    assert measured([(10, 0.0), (20, 9.0)], old=(15, 11.0)).usable(0, 11.0) == []


def test_a_quiet_primary_does_not_make_its_replicas_old() -> None:
    replication = measured([(10, float(second)) for second in range(100)], replica=(10, 99.0))
    assert replication.report(99.5)[0].lag_seconds == pytest.approx(0.5)
    assert replication.usable(0, 99.5) == ["replica"]


def test_while_the_primary_is_away_replicas_serve_for_as_long_as_they_may_be_behind() -> None:
    replication = measured([(10, 0.0)], replica=(10, 9.0))
    assert replication.usable(0, 9.5) == ["replica"]
    replication.replica_at("replica", 10, 11.0)
    assert replication.usable(0, 11.0) == []


def test_without_a_measurement_of_the_primary_no_replica_is_used() -> None:
    replication = measured([], replica=(10, 0.0))
    assert replication.usable(0, 0.0) == []
    assert (replication.report(0.0)[0].lag_seconds, replication.report(0.0)[0].usable) == (None, False)


def test_a_new_primary_with_a_shorter_log_starts_the_measuring_anew() -> None:
    replication = measured([(1000, 0.0), (400, 1.0)], replica=(400, 1.0))
    assert replication.usable(0, 1.5) == ["replica"]
    assert replication.report(1.5)[0].lag_bytes == 0


def test_a_session_needs_what_it_wrote() -> None:
    replication = measured([(100, 0.0)])
    reader = Session()
    assert (reader.token, reader.needed(replication)) == (None, 0)
    reader.wrote(90, 0.5)
    reader.wrote(80, 0.6)
    assert (reader.token, reader.needed(replication)) == ("0/5A", 90)


def test_a_write_at_an_unknown_place_keeps_reads_at_the_primary_until_it_was_measured() -> None:
    replication = measured([(100, 0.0)])
    reader = Session("0/10")
    reader.wrote(None, 1.0)
    assert reader.needed(replication) is None
    replication.primary_at(150, 155, 1.0)
    assert reader.needed(replication) is None, "asked in the moment of the write: it may have been before it"
    replication.primary_at(150, 160, 1.1)
    assert (reader.needed(replication), reader.token) == (160, "0/A0")


def test_a_primary_that_rests_at_the_border_of_a_page_does_not_wait_for_its_replicas() -> None:
    replication = Replication(BOUND)
    replication.primary_at(0x3000000, 0x3000028, 1.0)
    replication.replica_at("replica", 0x3000000, 1.0)
    assert replication.usable(0, 1.0) == ["replica"]


def test_sessions_nest_and_end() -> None:
    with session("0/A") as outer:
        with session() as inner:
            assert CURRENT.get() is inner
        assert CURRENT.get() is outer
    assert CURRENT.get() is None
