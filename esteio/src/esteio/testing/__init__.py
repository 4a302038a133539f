"""What a test of a resilient service needs: time that is moved by hand, failures on cue, and real servers."""

from __future__ import annotations

from esteio.testing._clock import ManualClock
from esteio.testing._flaky import Flaky, flaky
from esteio.testing._proxy import FlakyProxy
from esteio.testing._recorded import no_retries, no_waits, recorded_events
from esteio.testing._virtual import VirtualClock, run_virtual

__all__ = [
    "Flaky",
    "FlakyProxy",
    "ManualClock",
    "VirtualClock",
    "flaky",
    "no_retries",
    "no_waits",
    "recorded_events",
    "run_virtual",
]
