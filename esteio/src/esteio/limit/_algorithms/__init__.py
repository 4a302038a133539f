"""How hits are counted: pure functions of (state, now, cost, limit), one module each.

Promises: no I/O, no clock, no randomness; times are whole microseconds, states flat tuples of whole numbers
(empty: never used), bounded in length. The arithmetic stays below 2**53 where a Lua script has to repeat it.
A clock that runs backwards never makes an algorithm generous and never makes it raise: up to `per` it counts
as standing still; beyond that it is another clock, and all that was used counts as used now.
"""

from __future__ import annotations

from esteio.limit._algorithms import _counter, _fixed, _gcra, _window
from esteio.limit._algorithms._verdict import NEVER, Algorithm, Judge, Numbers, State, Verdict

__all__ = ["ALGORITHMS", "NEVER", "Algorithm", "Judge", "Numbers", "State", "Verdict"]

ALGORITHMS: dict[str, Algorithm] = {
    "window": _window.WINDOW,
    "counter": _counter.COUNTER,
    "gcra": _gcra.GCRA,
    "fixed": _fixed.FIXED,
}
