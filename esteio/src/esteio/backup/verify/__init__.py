"""A backup restored on a server of its own, and looked at, before anybody counts on it."""

from __future__ import annotations

from esteio.backup.verify._dump import Scratch, verify_dump

__all__ = ["Scratch", "verify_dump"]
