"""What happened, told to whoever listens.

Promises: an event is a frozen record; a hook receives it synchronously, in the thread or task where it
happened. A hook that raises is logged and disturbs neither the other hooks nor the code that emitted.
With no hook subscribed an event costs one truth test: ask `events.active()` before building a record
on a hot path.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

__all__ = ["Event", "Hook", "active", "emit", "subscribe"]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all event records; `name` is the object it happened to (a pool, a worker, a circuit)."""

    name: str


Hook = Callable[[Event], None]


class _Subscription:
    """One call of `subscribe`; the same hook may be subscribed several times."""

    __slots__ = ("hook",)

    def __init__(self, hook: Hook) -> None:
        self.hook = hook


_hooks: tuple[_Subscription, ...] = ()
_lock = Lock()


def subscribe(hook: Hook) -> Callable[[], None]:
    """Send every event to `hook` from now on, once for each subscription; the returned function ends this one."""
    global _hooks  # noqa: PLW0603 - replaced whole, so emit() may iterate without a lock
    own = _Subscription(hook)
    with _lock:  # two threads that read the same tuple would lose one of their hooks
        _hooks = (*_hooks, own)

    def unsubscribe() -> None:
        global _hooks  # noqa: PLW0603
        with _lock:
            _hooks = tuple([each for each in _hooks if each is not own])

    return unsubscribe


def active() -> bool:
    """Whether anybody listens."""
    return bool(_hooks)


def emit(event: Event) -> None:
    """Hand `event` to every hook, in the order they subscribed."""
    for each in _hooks:
        try:
            each.hook(event)
        except Exception:
            from logging import getLogger  # here: most programs never need it, and it is half of this module's import

            getLogger("esteio.events").exception("event hook %r failed on %s", each.hook, type(event).__name__)


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - the parent's thread that held it does not exist in a forked child
    _lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
