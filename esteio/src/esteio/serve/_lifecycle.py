"""What one process knows about its own life.

Promises: there is one `lifecycle` per process. The application writes `ready` (its warm-up is over, what it
cannot work without answers); the server writes `draining`. Health routes read both. Assignments are atomic,
so any thread may make them. Outside a supervisor nobody writes `draining` and the defaults mean "serving".
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Lifecycle", "lifecycle"]


@dataclass(slots=True)
class Lifecycle:
    """`ready`: by the application. `draining`: by the server, never taken back. `slot`: which worker this is."""

    ready: bool = True
    draining: bool = False
    slot: int | None = None

    @property
    def accepting(self) -> bool:
        """Whether a load balancer should send new requests here."""
        return self.ready and not self.draining


lifecycle = Lifecycle()
