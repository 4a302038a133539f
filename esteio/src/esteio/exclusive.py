"""A file that one process at a time holds locked.

Promises: the lock dies with its process, however that ends, so nothing stale has to be removed by hand.
"""

from __future__ import annotations

import sys

__all__ = ["taken"]


def taken(handle: int) -> bool:
    """Whether the open file `handle` is ours now; at once, and until it is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
