"""Attempts to reconnect come soon, not often, and not in step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres._backoff import conflict_delay, recheck_delay, reconnect_delay


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_long_and_never_none(failures: int, outage: float, chance: float) -> None:
    delay = reconnect_delay(failures, outage, random=lambda: chance)
    assert 0.01 <= delay <= (0.08 if outage < 5 else 0.3 if outage < 60 else 1.5)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_server_that_refuses_us_is_asked_seldom_and_a_conflict_is_over_soon(failures: int, chance: float) -> None:
    assert 1.0 <= recheck_delay(failures, random=lambda: chance) <= 10.0
    assert 0.002 <= conflict_delay(failures, random=lambda: chance) <= 0.25


def test_delays_double_to_their_ceiling() -> None:
    delays = [reconnect_delay(n, 1.0, random=lambda: 1.0) for n in range(1, 6)]
    assert delays == pytest.approx([0.02, 0.04, 0.08, 0.08, 0.08])


def test_two_processes_do_not_wait_alike() -> None:
    assert reconnect_delay(3, 1.0, random=lambda: 0.1) != reconnect_delay(3, 1.0, random=lambda: 0.9)
