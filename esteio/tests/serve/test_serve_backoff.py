"""Back-off is nothing at first, then grows to a ceiling that chance can't lift."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from esteio.serve import Backoff


def test_without_jitter_the_waits_are_those_promised():
    backoff = Backoff(jitter=0.0)
    assert [backoff.delay(n, 0.5) for n in range(1, 10)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


@given(st.integers(0, 10**9), st.floats(0, 1))
def test_no_wait_exceeds_the_cap_or_falls_below_the_share_jitter_leaves(failures, chance):
    backoff = Backoff(first=0.5, cap=30, jitter=0.2)
    whole = Backoff(first=0.5, cap=30, jitter=0.0).delay(failures, chance)
    assert 0.8 * whole <= backoff.delay(failures, chance) <= whole <= 30
