"""Bulkhead: a bounded number of calls at once, fixed or found from latency, with a bounded queue."""

from __future__ import annotations

from esteio.policy.bulkhead._adaptive import AIMD, Gradient
from esteio.policy.bulkhead._definition import Bulkhead

__all__ = ["AIMD", "Bulkhead", "Gradient"]
