"""How far a long piece of work is, told to whoever shows it.

Promises: called from the thread that works, often; what it does must be quick and must not raise.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Receives a step's name and how much of it is done; `total` is 0 where nobody knows, `unit` bytes or tables."""

    def __call__(self, step: str, done: int, total: int, unit: str) -> None:
        """`done` of `total` `unit`s of `step`."""
        ...


def silent(step: str, done: int, total: int, unit: str) -> None:
    """Tell nobody."""
