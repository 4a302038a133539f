"""Load shedding: when more is asked than can be served, what matters least is refused first, at once and cheaply.

An adaptive limit of requests in flight, a queue by level in front of it, and 503 with Retry-After for what does not get
its turn in time. docs/how-to/shed-load.md says how to choose levels.
"""

from __future__ import annotations

from esteio.web.shedding._admission import Admission, Level, LevelCounts, SheddingError, SheddingLimits
from esteio.web.shedding._middleware import Shedding, current_level

__all__ = ["Admission", "Level", "LevelCounts", "Shedding", "SheddingError", "SheddingLimits", "current_level"]
