"""Counting statements within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres import _statements
from esteio.postgres._histogram import BOUNDS, Histogram
from esteio.postgres._statements import OTHER, Statements


def test_texts_that_differ_in_values_are_one_statement() -> None:
    seen = Statements()
    seen.observe("SELECT 1", 0.002)
    seen.observe("SELECT  2", 0.004)
    seen.observe("SELECT 1", 3.0, failed=True)
    (one,) = seen.snapshot()
    assert (one.text, one.times.count, one.errors, one.times.longest) == ("SELECT ?", 3, 1, 3.0)
    assert one.times.seconds == pytest.approx(3.006)


def test_the_statement_that_took_the_most_time_comes_first() -> None:
    seen = Statements()
    for _ in range(10):
        seen.observe("SELECT a", 0.001)
    seen.observe("SELECT b", 1.0)
    assert [statement.text for statement in seen.snapshot()] == ["SELECT b", "SELECT a"]


def test_what_does_not_fit_is_counted_as_other_and_the_busiest_stay() -> None:
    seen = Statements(limit=8)
    for number in range(100):
        seen.observe("SELECT busy", 0.001)
        seen.observe(f"SELECT c{number}", 0.001, failed=True)
    found = {statement.text: statement for statement in seen.snapshot()}
    assert len(found) <= 8 + 1
    assert found["SELECT busy"].times.count == 100
    assert sum(statement.times.count for statement in found.values()) == 200
    assert sum(statement.errors for statement in found.values()) == 100
    assert any(statement.fingerprint == OTHER for statement in found.values())


def test_the_memory_for_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_statements, "_TEXT_BUDGET", 1000)
    seen = Statements()
    for number in range(500):
        seen.observe(f"SELECT * FROM t WHERE id = {number}", 0.001)
        assert sum(map(len, seen._by_text)) <= 1000
    seen.observe(f"SELECT {'x' * 2000}", 0.001)
    assert sum(map(len, seen._by_text)) <= 1000
    assert seen.snapshot()[0].times.count == 500


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_is_no_less_than_the_share_says_and_no_more_than_a_bucket_away(
    seconds: list[float], share: float
) -> None:
    histogram = Histogram()
    for value in seconds:
        histogram.observe(value)
    times = histogram.times()
    exact = sorted(seconds)[max(0, min(len(seconds) - 1, round(share * len(seconds) + 0.4999) - 1))]
    above = next((bound for bound in BOUNDS if bound >= exact), times.longest)
    assert times.count == len(seconds) == sum(times.buckets)
    assert times.quantile(share) <= max(above, times.longest)
    assert times.quantile(1.0) <= times.longest
    assert sum(value <= times.quantile(share) for value in seconds) >= share * len(seconds) - 1e-6


def test_nothing_counted_is_zero() -> None:
    times = Histogram().times()
    assert (times.count, times.mean, times.quantile(0.99)) == (0, 0.0, 0.0)


def test_immediate_ones_count_in_the_first_bucket() -> None:
    histogram = Histogram()
    histogram.observe(0.3)
    times = histogram.times(immediate=9)
    assert (times.count, times.buckets[0], times.quantile(0.9)) == (10, 9, BOUNDS[0])
    assert times.mean == pytest.approx(0.03)
