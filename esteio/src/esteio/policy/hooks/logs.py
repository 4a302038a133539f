"""Events of policies as log lines: each failed attempt, exhaustion, recovery, every change of a circuit.

Promises: warnings for what heals by itself, errors for what did not, information for what has healed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from esteio.events import Event, subscribe
from esteio.policy._events import (
    AttemptFailed,
    CallTimedOut,
    CircuitChanged,
    CircuitWouldOpen,
    FallbackUsed,
    LimitChanged,
    Recovered,
    RetriesGaveUp,
    StaleServed,
)

__all__ = ["log_policies"]

_logger = logging.getLogger("esteio.policy")


def _line(event: Event) -> tuple[int, str]:
    match event:
        case AttemptFailed(name, attempt, attempts, wait, error):
            of = "" if attempts is None else f" of {attempts}"
            return logging.WARNING, f"{name}: attempt {attempt}{of} failed ({error!r}), next one in {wait:.2f} s"
        case RetriesGaveUp(name, attempts, elapsed, reason, error):
            return logging.ERROR, f"{name}: gave up after {attempts} attempts in {elapsed:.2f} s ({reason}): {error!r}"
        case Recovered(name, attempts, elapsed):
            return logging.INFO, f"{name}: recovered at attempt {attempts} after {elapsed:.2f} s"
        case CircuitChanged(name, before, after, reason, _):
            level = logging.INFO if after == "closed" else logging.WARNING
            return level, f"{name}: circuit {before} -> {after}: {reason}"
        case CircuitWouldOpen(name, reason):
            return logging.WARNING, f"{name}: circuit would open (metrics only): {reason}"
        case CallTimedOut(name, policy, limit):
            return logging.WARNING, f"{name}: {policy} of {limit:g} s exceeded"
        case FallbackUsed(name, error):
            return logging.WARNING, f"{name}: fallback used: {error!r}"
        case StaleServed(name, age, error):
            return logging.WARNING, f"{name}: answer of {age:.0f} s ago served: {error!r}"
        case LimitChanged(name, before_limit, after_limit):
            return logging.DEBUG, f"{name}: concurrency limit {before_limit} -> {after_limit}"
        case _:
            return logging.NOTSET, ""


def log_policies() -> Callable[[], None]:
    """Log to `esteio.policy` from now on; the returned function ends that."""

    def hook(event: Event) -> None:
        level, text = _line(event)
        if level:
            _logger.log(level, "%s", text, extra={"esteio_event": event})

    return subscribe(hook)
