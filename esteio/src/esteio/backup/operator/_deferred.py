"""A service that is made when it starts.

Promises: what it needs in order to be made - a server that answers - may be away; that is a failed start, tried again
like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["Deferred"]


class _Service(Protocol):
    def start(self) -> None: ...

    def is_alive(self) -> bool: ...

    def stop(self, timeout: float) -> None: ...


S = TypeVar("S", bound=_Service)


class Deferred(Generic[S]):
    """The service `name`, which `make` makes anew at each start."""

    def __init__(self, name: str, make: Callable[[], S]) -> None:
        self._name = name
        self._make = make
        self.started: Callable[[], object] = lambda: None
        """Called after each start."""
        self.service: S | None = None
        """The one of the last start."""

    @property
    def name(self) -> str:
        """For people."""
        return self._name

    def start(self) -> None:
        """Make it and start it; raises what either raises."""
        self.stop(0.0)
        self.service = self._make()
        self.service.start()
        self.started()

    def is_alive(self) -> bool:
        """Whether it is."""
        return self.service is not None and self.service.is_alive()

    def stop(self, timeout: float) -> None:
        """End it, if it was started."""
        if self.service is not None:
            self.service.stop(timeout)
