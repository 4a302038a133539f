"""What is well and what is not, asked cheaply and told truthfully."""

from __future__ import annotations

from esteio.health._check import Check, Result, Status
from esteio.health._monitor import Monitor, Report

__all__ = ["Check", "Monitor", "Report", "Result", "Status"]
