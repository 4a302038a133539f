"""The places of a bulkhead and the queue before them. Pure but for a short lock; never waits by itself.

Free places lie in a deque, whose `pop` and `append` are atomic: while nobody waits, taking and giving back
needs no lock. A waiter puts itself in line first and looks for a free place again after, and who gives back
looks at the line after, so no place is lost between them. A place handed to a waiter that has left goes on
to the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

__all__ = ["Slots", "Ticket"]


class Ticket:
    """A place in the line; `wake` is called, in any thread, when a slot was handed over."""

    __slots__ = ("granted", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.granted = False


class Slots:
    """At most `limit` taken at once, at most `queue` in line."""

    def __init__(self, limit: int, queue: int) -> None:
        self.limit = limit
        self.queue = queue
        self.free: deque[None] = deque([None] * limit)
        self.line: deque[Ticket] = deque()
        self.surplus = 0  # taken slots to drop when they come back, after the limit shrank
        # For the line, and for handing slots over. A free slot is taken and given back without it: a deque's pop and
        # append are atomic, so the usual call, with nobody in line, takes no lock.
        self._lock = Lock()

    def taken(self) -> int:
        """Slots in use."""
        return self.limit + self.surplus - len(self.free)

    def take(self) -> bool:
        """A slot at once, if one is free and nobody waits for it."""
        if self.line:
            return False
        try:
            self.free.pop()
        except IndexError:
            return False
        return True

    def stand_in_line(self, ticket: Ticket) -> bool:
        """Wait for a slot; False when the line is full. The ticket may be granted already."""
        with self._lock:
            if len(self.line) >= self.queue:
                return False
            self.line.append(ticket)
        self._serve()
        return True

    def leave_line(self, ticket: Ticket) -> None:
        """Stop waiting; a slot granted meanwhile goes to the next."""
        if self.claim(ticket):
            self.give_back()

    def claim(self, ticket: Ticket) -> bool:
        """The wait is over: whether the slot is ours; if not, the ticket has left the line."""
        with self._lock:
            if not ticket.granted:
                self.line.remove(ticket)
            return ticket.granted

    def give_back(self) -> None:
        """Free a slot."""
        if self.surplus:
            with self._lock:
                if self.surplus:
                    self.surplus -= 1
                    return
        self.free.append(None)
        if self.line:
            self._serve()

    def _serve(self) -> None:
        served = []
        with self._lock:
            while self.line and self.free:
                try:
                    self.free.pop()
                except IndexError:
                    break  # somebody without a ticket was faster
                ticket = self.line.popleft()
                ticket.granted = True
                served.append(ticket)
        for ticket in served:
            ticket.wake()

    def resize(self, limit: int, queue: int) -> None:
        """Another limit: more slots at once, fewer as they come back."""
        with self._lock:
            change = limit - self.limit
            self.limit = limit
            self.queue = queue
            while change > 0 and self.surplus:
                self.surplus -= 1
                change -= 1
            self.free.extend([None] * max(0, change))
            while change < 0:
                try:
                    self.free.pop()
                except IndexError:
                    self.surplus -= change
                    break
                change += 1
        self._serve()
