"""Checks of what users pass to a policy.

Promises: a parameter that can't work is refused when the policy is built, with a `ValueError` (right type,
wrong value) or `TypeError` that names the policy, the parameter, the value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import iscoroutinefunction
from math import isfinite

__all__ = [
    "ExceptionTypes",
    "count",
    "exception_types",
    "factor",
    "flag",
    "function",
    "name_or_none",
    "optional_seconds",
    "seconds",
    "share",
]

ExceptionTypes = type[Exception] | tuple[type[Exception], ...]


def _number(owner: str, name: str, value: object, allowed: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{owner}: {name}={value!r} is not a number; pass {allowed}"
        raise TypeError(msg)
    if not isfinite(value):
        msg = f"{owner}: {name}={value!r} is not finite; pass {allowed}"
        raise ValueError(msg)
    return float(value)


def seconds(owner: str, name: str, value: object, *, zero: bool = False) -> float:
    """A finite duration above zero, or from zero where `zero` allows it."""
    allowed = "seconds, zero or more" if zero else "seconds above zero"
    number = _number(owner, name, value, allowed)
    if number < 0 or (number == 0 and not zero):
        msg = f"{owner}: {name}={value!r} is too small; pass {allowed}"
        raise ValueError(msg)
    return number


def optional_seconds(owner: str, name: str, value: object) -> float | None:
    """None, or a finite duration above zero."""
    return None if value is None else seconds(owner, name, value)


def count(owner: str, name: str, value: object, minimum: int = 1) -> int:
    """A whole number of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{owner}: {name}={value!r} is not a whole number; pass {minimum} or more"
        raise TypeError(msg)
    if value < minimum:
        msg = f"{owner}: {name}={value} is below {minimum}; pass {minimum} or more"
        raise ValueError(msg)
    return value


def share(owner: str, name: str, value: object) -> float:
    """A share above 0 and at most 1."""
    number = _number(owner, name, value, "a share above 0 and at most 1")
    if not 0 < number <= 1:
        msg = f"{owner}: {name}={value!r} is outside (0, 1]; pass a share such as 0.5 for half"
        raise ValueError(msg)
    return number


def factor(owner: str, name: str, value: object, minimum: float = 1.0) -> float:
    """A finite multiplier of at least `minimum`."""
    number = _number(owner, name, value, f"{minimum} or more")
    if number < minimum:
        msg = f"{owner}: {name}={value!r} is below {minimum}; pass {minimum} or more"
        raise ValueError(msg)
    return number


def exception_types(owner: str, name: str, value: object) -> tuple[type[Exception], ...]:
    """One exception class or several, as a tuple; control-flow exceptions are refused."""
    types = value if type(value) is tuple else tuple(value) if isinstance(value, Iterable) else (value,)
    for item in types:
        if not isinstance(item, type) or not issubclass(item, Exception):
            msg = f"{owner}: {name} holds {item!r}; pass classes derived from Exception (cancellation is never handled)"
            raise TypeError(msg)
    return types


def flag(owner: str, name: str, value: object) -> None:
    """True or False, and nothing that merely counts as one of them."""
    if not isinstance(value, bool):
        msg = f"{owner}: {name}={value!r}; pass True or False"
        raise TypeError(msg)


def name_or_none(owner: str, value: object) -> None:
    """None, or a text that is not empty."""
    if value is not None and (not isinstance(value, str) or not value):
        msg = f"{owner}: name={value!r}; pass a text that is not empty, or None to take the pipeline's name"
        raise ValueError(msg) if value == "" else TypeError(msg)


def function(owner: str, name: str, value: object, *, plain: bool = True) -> None:
    """None, or something callable; a coroutine function only where `plain` is false."""
    if value is None:
        return
    if plain and (iscoroutinefunction(value) or iscoroutinefunction(getattr(value, "__call__", None))):  # noqa: B004
        msg = f"{owner}: {name}={value!r} is async, and its coroutine would always count as true; pass a plain function"
        raise TypeError(msg)
    if not callable(value):
        msg = f"{owner}: {name}={value!r} can't be called; pass a function or None"
        raise TypeError(msg)
