"""The limits of a pool, checked when they are given and not when they are met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

__all__ = ["PoolLimits", "checked"]

# name: unit, minimum, maximum; both flavours and docs/reference/postgres.md have the same table
_ALLOWED: dict[str, tuple[str, float, float]] = {
    "min_size": ("connections", 0, 1000),
    "max_size": ("connections", 1, 1000),
    "max_waiting": ("callers", 0, 1_000_000),
    "ping_after": ("seconds", 0, 86_400),
    "max_lifetime": ("seconds", 1, 604_800),
    "max_idle": ("seconds", 1, 604_800),
    "answer_timeout": ("seconds", 0.1, 3600),
    "max_lag": ("seconds", 0, 86_400),
    "max_lag_bytes": ("bytes", 0, 2**63),
}


def checked(name: str, value: float) -> float:
    """`value` of parameter `name`; ValueError, with what is allowed, when it is outside of its limits or no number."""
    unit, low, high = _ALLOWED[name]
    whole = unit != "seconds"
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not (right and low <= value <= high):
        kind = "whole number" if whole else "number"
        msg = f"{name}={value!r}; allowed: a {kind} of {unit} from {low:g} to {high:.12g}"
        raise ValueError(msg)
    return value


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections and callers, and for how long; times in seconds. ValueError for what is not allowed."""

    min_size: int
    max_size: int
    timeout: float
    """A caller's wait for a connection; the address has checked it."""
    max_waiting: int = 1000
    ping_after: float = 30.0
    max_lifetime: float = 3600.0
    max_idle: float = 600.0

    def __post_init__(self) -> None:
        for name in ("min_size", "max_size", "max_waiting", "ping_after", "max_lifetime", "max_idle"):
            checked(name, getattr(self, name))

    def resized(self, min_size: int | None, max_size: int | None) -> Self:
        """The same with other sizes, None leaving one as it is; a minimum above the maximum is the maximum."""
        largest = int(checked("max_size", self.max_size if max_size is None else max_size))
        smallest = int(checked("min_size", self.min_size if min_size is None else min_size))
        return replace(self, min_size=min(smallest, largest), max_size=largest)
