"""Time is a dependency that tests can move."""

import pytest

from esteio import Clock
from esteio.testing import ManualClock


async def test_a_manual_clock_advances_instead_of_sleeping() -> None:
    clock = ManualClock()
    wait: Clock = clock
    wait.sleep(1.5)
    await wait.sleep_async(0.5)
    assert (clock.monotonic(), clock.slept) == (2.0, [1.5, 0.5])


def test_a_manual_clock_never_runs_backwards() -> None:
    with pytest.raises(ValueError, match="seconds=-1"):
        ManualClock().advance(-1)


def test_the_wall_clock_can_be_set_back_and_nothing_else_notices() -> None:
    clock = ManualClock(5.0, time=1000.0)
    clock.set_time(10.0)
    assert (clock.time(), clock.monotonic()) == (10.0, 5.0)
