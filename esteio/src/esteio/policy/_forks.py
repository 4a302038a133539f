"""State after a fork.

Promises: in a forked child every policy starts with fresh locks and without permits, waiters or timers of
threads that exist only in the parent; what a circuit has learned is kept.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Protocol
from weakref import WeakSet

__all__ = ["renew_after_fork"]


class Renewable(Protocol):
    """State that can't be carried over a fork as it is."""

    def renew(self) -> None:
        """Forget whatever belongs to other threads of the parent."""
        ...


_known: WeakSet[Renewable] = WeakSet()
_lock = Lock()


def renew_after_fork(state: Renewable) -> None:
    """Call `state.renew()` in every child forked while `state` lives."""
    with _lock:
        _known.add(state)


def _renew_all() -> None:
    global _lock  # noqa: PLW0603 - the parent's thread that held it does not exist here
    _lock = Lock()
    for state in tuple(_known):
        state.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
