"""What is well and what is not, asked cheaply and told truthfully; and what all workers of a host measure together."""

from __future__ import annotations

from esteio.health._blocking import BlockingProbe
from esteio.health._board import BoardFull, CircuitOrder
from esteio.health._check import Check, Observed, Result, Status, Unwell
from esteio.health._history_reader import HistoryReader
from esteio.health._host_file import measuring
from esteio.health._host_monitor import HostMonitor
from esteio.health._measurements import MEASUREMENTS, Measurements, MeasurementsError
from esteio.health._monitor import Monitor, Report
from esteio.health._sampler import Sampler

__all__ = [
    "MEASUREMENTS",
    "BlockingProbe",
    "BoardFull",
    "Check",
    "CircuitOrder",
    "HistoryReader",
    "HostMonitor",
    "Measurements",
    "MeasurementsError",
    "Monitor",
    "Observed",
    "Report",
    "Result",
    "Sampler",
    "Status",
    "Unwell",
    "measuring",
]
