"""What a test of a resilient service needs: time that is moved by hand, and real servers."""

from __future__ import annotations

from esteio.testing._clock import ManualClock

__all__ = ["ManualClock"]
