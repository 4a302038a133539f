"""What kind of function is to be guarded.

Promises: a function whose body runs only after the call has returned - a generator, or a plain function that
hands out a coroutine - is refused with a TypeError, because policies around it would guard nothing.
"""

from __future__ import annotations

from inspect import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_ITERABLE_COROUTINE,
    isasyncgenfunction,
    iscoroutine,
    iscoroutinefunction,
    isgeneratorfunction,
)
from types import FunctionType
from typing import Any

from esteio.policy._errors import Unguardable

_SPECIAL = CO_GENERATOR | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE

__all__ = ["call_async", "call_plain", "is_async"]


def is_async(fn: Any) -> bool:
    """Whether `fn` is a coroutine function; TypeError when it can't be guarded at all."""
    if type(fn) is FunctionType and not fn.__dict__:  # inspect's questions take longer than the rest of an inline retry
        flags = fn.__code__.co_flags
        if flags & CO_COROUTINE:
            return True
        if not flags & _SPECIAL:
            return False
    if not callable(fn):
        msg = f"{fn!r} can't be called; pass a function"
        raise TypeError(msg)
    if isasyncgenfunction(fn) or isgeneratorfunction(fn):
        msg = f"{fn!r} is a generator: its body runs after the policies are done; guard what it calls instead"
        raise TypeError(msg)
    return iscoroutinefunction(fn) or iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004 - its kind is asked for


def call_plain(fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call `fn`; TypeError when it hands out a coroutine that nobody would guard."""
    result = fn(*args, **kwargs)
    if iscoroutine(result):
        result.close()
        msg = f"{fn!r} returned a coroutine: its policies would be over before it runs; use acall() or an async def"
        raise Unguardable(msg)
    return result


async def call_async(fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Await what `fn` returns; TypeError when it returns something else."""
    awaitable = fn(*args, **kwargs)
    if not hasattr(awaitable, "__await__"):
        msg = f"{fn!r} returned {awaitable!r}, which can't be awaited; use call() for plain functions"
        raise Unguardable(msg)
    return await awaitable
