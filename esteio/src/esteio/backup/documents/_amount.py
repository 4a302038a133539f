"""How much of the documents several threads have done together."""

from __future__ import annotations

import threading

from esteio.backup._progress import Progress

__all__ = ["Amount"]


class Amount:
    """Bytes done of `total`; added up by any thread, told to `progress` by the one that calls `show`."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._mutex = threading.Lock()
        self.show()

    def add(self, size: int) -> None:
        """`size` bytes more are done."""
        with self._mutex:
            self._done += size

    def show(self) -> None:
        """Tell how much it is."""
        self._progress("documents", min(self._done, self._total), self._total, "bytes")
