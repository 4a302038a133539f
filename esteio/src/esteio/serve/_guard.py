"""A turn of a loop that supervises others: a defect in one of them does not end the service.

Promises: what a turn raises is logged, and the loop goes on; only after `MOST_FAILED_TURNS` in a row it is raised, since
then nothing is supervised any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

__all__ = ["MOST_FAILED_TURNS", "GuardedTurn"]

MOST_FAILED_TURNS = 50  # some seconds: then it is no accident

_logger = logging.getLogger("esteio.serve")


class GuardedTurn:
    """Calls `turn`, which returns True at the end of the loop, for the loop of `what`."""

    def __init__(self, what: str, turn: Callable[[], bool]) -> None:
        self._what = what
        self._turn = turn
        self._failed = 0

    def __call__(self) -> bool:
        try:
            ended = self._turn()
        except Exception:
            self._failed += 1
            if self._failed >= MOST_FAILED_TURNS:
                raise
            _logger.exception("a turn of %s failed; it goes on", self._what)
            return False
        self._failed = 0
        return ended
