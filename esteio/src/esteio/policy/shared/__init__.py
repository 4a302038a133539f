"""Circuits that learn from other instances. Import `SharedHints` from here; it needs the extra `redis`."""

from __future__ import annotations

from esteio.policy.shared._redis import SharedHints

__all__ = ["SharedHints"]
