"""Where a worker process begins.

uvicorn is imported here and not above: the supervisor itself does without it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esteio.serve._process import WorkerSpec

__all__ = ["work"]


def work(spec: WorkerSpec, slot: int, sockets: list[socket.socket], channel: socket.socket) -> None:
    """Serve until told to end; exits with uvicorn's code 3 when the application can't start."""
    from esteio.serve._lifecycle import lifecycle
    from esteio.serve._worker import ignore_terminal_signals, serve

    ignore_terminal_signals()
    lifecycle.slot = slot
    serve(spec, sockets, channel)
