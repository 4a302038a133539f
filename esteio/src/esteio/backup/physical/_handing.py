"""A sink that works in a thread of its own, so that one core fills it while another empties it.

Promises: at most 8 MB wait, plus the piece that is handed over; what the sink raises reaches who writes, or who leaves
the block, once.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import Self

from esteio.backup.packing import Writable

__all__ = ["Handing"]

_MOST = 8 << 20


class Handing:
    """Hands what is written on to `sink`, in order; use it as `with Handing(sink) as handing:`."""

    def __init__(self, sink: Writable) -> None:
        self._sink = sink
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="esteio handing", daemon=True)

    def write(self, data: bytes, /) -> int:
        """Take all of `data`; raises what the sink raised at an earlier piece."""
        piece = bytes(data)  # who writes may use its buffer again
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < _MOST or self._failure is not None)
            if self._failure is not None:
                raise self._failure
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()
        return len(piece)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._changed:
            self._closed = True
            if error is not None:
                self._pieces.clear()
            self._changed.notify_all()
        self._thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while (piece := self._next()) is not None:
                self._sink.write(piece)
                with self._changed:
                    self._waiting -= len(piece)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again by who writes
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._closed)
            return self._pieces.popleft() if self._pieces else None
