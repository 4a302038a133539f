"""Timeout: real for coroutine functions, cooperative or by abandoning for plain ones."""

from __future__ import annotations

from esteio.policy.timeout._definition import Timeout

__all__ = ["Timeout"]
