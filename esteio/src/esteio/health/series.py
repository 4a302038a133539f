"""The names of what is measured, for those that write or show it."""

from __future__ import annotations

from esteio.health._latency import BUCKETS, Latency, upper_bound
from esteio.health._reading import CANCELLED, HTTP, LAG, Reading, WorkerReading
from esteio.health._region import OTHER, Field, Key, Region
from esteio.health._samples import Family

__all__ = [
    "BUCKETS",
    "CANCELLED",
    "HTTP",
    "LAG",
    "OTHER",
    "Family",
    "Field",
    "Key",
    "Latency",
    "Reading",
    "Region",
    "WorkerReading",
    "upper_bound",
]
