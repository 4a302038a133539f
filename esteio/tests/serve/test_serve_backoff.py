"""A restart costs no wait at first, then more and more up to a ceiling that chance can't lift."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from esteio.policy import Exponential
from esteio.serve._settings import RESTARTS, restart_delay


def test_where_chance_takes_nothing_away_the_waits_are_those_promised():
    assert [restart_delay(RESTARTS, n, 0.0) for n in range(1, 10)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


@given(st.integers(0, 10**9), st.floats(0, 1), st.floats(1, 1e9))
def test_no_wait_exceeds_the_cap_or_falls_below_the_share_that_chance_leaves(failures, chance, factor):
    backoff = Exponential(initial=0.5, factor=factor, cap=30)
    whole = restart_delay(backoff, failures, 0.0)
    assert 0.8 * whole <= restart_delay(backoff, failures, chance) <= whole <= 30
