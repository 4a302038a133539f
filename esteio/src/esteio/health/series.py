"""The names of what is measured, for those that write or show it."""

from __future__ import annotations

from esteio.health._history_file import FIVE_MINUTES, Mark
from esteio.health._history_reader import Point
from esteio.health._host_facts import HOST
from esteio.health._host_monitor import SERVICE
from esteio.health._intervals import Interval, State, availability, shares
from esteio.health._latency import BUCKETS, Latency, upper_bound
from esteio.health._reading import CANCELLED, HTTP, LAG, WEBSOCKET, WEBSOCKET_HANDSHAKE, Reading, WorkerReading
from esteio.health._region import OTHER, Field, Key, Region
from esteio.health._samples import Family
from esteio.health._vitals import VITALS, Vitals

__all__ = [
    "BUCKETS",
    "CANCELLED",
    "FIVE_MINUTES",
    "HOST",
    "HTTP",
    "LAG",
    "OTHER",
    "SERVICE",
    "VITALS",
    "WEBSOCKET",
    "WEBSOCKET_HANDSHAKE",
    "Family",
    "Field",
    "Interval",
    "Key",
    "Latency",
    "Mark",
    "Point",
    "Reading",
    "Region",
    "State",
    "Vitals",
    "WorkerReading",
    "availability",
    "shares",
    "upper_bound",
]
