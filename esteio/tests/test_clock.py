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
