"""Esteio: the post that holds up the house. High availability for Python services."""

from __future__ import annotations

from esteio.clock import Clock, SystemClock
from esteio.errors import EsteioError
from esteio.events import Event

__all__ = ["Clock", "EsteioError", "Event", "SystemClock"]
