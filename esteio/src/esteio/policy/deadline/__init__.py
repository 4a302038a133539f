"""Deadline: the total time of a call, seen by everything below it and carried over HTTP hops."""

from __future__ import annotations

from esteio.policy.deadline._context import HEADER, check, detached, from_headers, headers, remaining, within
from esteio.policy.deadline._definition import Deadline

__all__ = ["HEADER", "Deadline", "check", "detached", "from_headers", "headers", "remaining", "within"]
