"""What happened, told to whoever listens.

Promises: an event is a frozen record; a hook receives it synchronously, in the thread or task where it
happened. A hook that raises is logged and disturbs neither the other hooks nor the code that emitted.
With no hook subscribed an event costs one truth test: ask `events.active()` before building a record
on a hot path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Event", "Hook", "active", "emit", "subscribe"]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all event records; `name` is the object it happened to (a pool, a worker, a circuit)."""

    name: str


Hook = Callable[[Event], None]

_hooks: tuple[Hook, ...] = ()


def subscribe(hook: Hook) -> Callable[[], None]:
    """Send every event to `hook` from now on; the returned function ends that."""
    global _hooks  # noqa: PLW0603 - replaced whole, so emit() may iterate without a lock
    _hooks = (*_hooks, hook)

    def unsubscribe() -> None:
        global _hooks  # noqa: PLW0603
        _hooks = tuple(h for h in _hooks if h is not hook)

    return unsubscribe


def active() -> bool:
    """Whether anybody listens."""
    return bool(_hooks)


def emit(event: Event) -> None:
    """Hand `event` to every hook, in the order they subscribed."""
    for hook in _hooks:
        try:
            hook(event)
        except Exception:
            from logging import getLogger  # here: most programs never need it, and it is half of this module's import

            getLogger("esteio.events").exception("event hook %r failed on %s", hook, type(event).__name__)
