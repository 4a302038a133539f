"""Attempts to reconnect come soon, not often, and not in step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres._backoff import reconnect_delay


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_long_and_never_none(failures: int, outage: float, chance: float) -> None:
    delay = reconnect_delay(failures, outage, random=lambda: chance)
    assert 0.025 <= delay <= (0.3 if outage < 60 else 1.5)


def test_delays_double_to_their_ceiling() -> None:
    delays = [reconnect_delay(n, 1.0, random=lambda: 1.0) for n in range(1, 7)]
    assert delays == pytest.approx([0.05, 0.1, 0.2, 0.3, 0.3, 0.3])


def test_two_processes_do_not_wait_alike() -> None:
    assert reconnect_delay(3, 1.0, random=lambda: 0.1) != reconnect_delay(3, 1.0, random=lambda: 0.9)
