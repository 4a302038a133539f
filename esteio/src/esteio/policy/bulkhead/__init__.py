"""Bulkhead: definition and places, and limits that find themselves."""

from __future__ import annotations

from esteio.policy.bulkhead._adaptive import AIMD, Gradient
from esteio.policy.bulkhead._bulkhead import Bulkhead

__all__ = ["AIMD", "Bulkhead", "Gradient"]
