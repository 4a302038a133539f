"""What can happen to three machines is known to the prediction, and their clocks are their own. No machine is started."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from esteio.drill import read_rates
from sispat.drill import command
from sispat.drill.clock import RIGHT, compile_clock, leap
from sispat.drill.faults.cluster import CLUSTER, SHORT_CLUSTER

_TELLS = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


def test_each_fault_of_three_machines_has_a_rate_and_each_rate_a_fault() -> None:
    names = [fault.name for fault in CLUSTER]
    assert len(names) == len(set(names))
    assert set(names) == {rate.name for rate in read_rates(Path(command.__file__).with_name("rates_cluster.toml"))}
    assert set(SHORT_CLUSTER) <= set(names)


def test_a_clock_leaps_for_the_programs_that_have_it_and_monotonic_time_does_not(tmp_path: Path) -> None:
    library, clock = tmp_path / "clock.so", tmp_path / "clock"
    if (reason := compile_clock(library)) is not None:
        pytest.skip(reason)
    clock.write_bytes(RIGHT)
    environment = {"LD_PRELOAD": str(library), "DRILL_CLOCK": str(clock)}
    with subprocess.Popen(
        [sys.executable, "-c", _TELLS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None

        def ahead() -> tuple[float, float]:
            program.stdin.write("now\n")
            program.stdin.flush()
            wall, monotonic = map(float, program.stdout.readline().split())
            return wall - time.time(), monotonic - time.monotonic()

        for seconds in (0, 300, 0):
            leap(clock, seconds)
            assert ahead() == pytest.approx((seconds, 0.0), abs=30)
        program.stdin.close()
