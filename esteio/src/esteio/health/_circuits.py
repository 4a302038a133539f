"""Carries out, in this process, what was ordered for circuits.

Promises: whatever process took the order, all of them carry it out within half a second, each once; so do processes and
pipelines that begin later. What the circuits of this process do by themselves afterwards stays theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from esteio.health._board import Board, CircuitOrder

if TYPE_CHECKING:
    from esteio.policy import Circuit

__all__ = ["CircuitFollower"]


class CircuitFollower:
    """Call it often: with no order it costs one comparison."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._done: WeakKeyDictionary[Circuit, int] = WeakKeyDictionary()

    def __call__(self) -> bool:
        """Whether anything was carried out."""
        if not self._board.version:
            return False
        from esteio.policy import registry  # here: who has no circuits never loads it

        carried_out = False
        for name, circuit in registry.circuits().items():
            found = self._board.find(name)
            if found is None or self._done.get(circuit) == found[0]:
                continue
            self._done[circuit] = found[0]
            (circuit.isolate if found[1] is CircuitOrder.ISOLATE else circuit.reset)()
            carried_out = True
        return carried_out
