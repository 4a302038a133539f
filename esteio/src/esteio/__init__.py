"""Esteio: the post that holds up the house. High availability for Python services.

The names of `esteio.policy` are here too; they are imported when first used, so that `import esteio` stays
cheap for programs that need none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esteio.clock import Clock, SystemClock
from esteio.errors import EsteioError
from esteio.events import Event

if TYPE_CHECKING:
    from esteio.policy import (
        Bulkhead,
        BulkheadFull,
        Cache,
        CircuitBreaker,
        CircuitOpen,
        CircuitState,
        Deadline,
        DeadlineExceeded,
        Fallback,
        Hedge,
        LoadShed,
        LoadShedder,
        Outcome,
        Pipeline,
        Policy,
        PolicyError,
        Priority,
        Registry,
        Rejected,
        RetriesExhausted,
        Retry,
        RetryBudget,
        Timeout,
        TimeoutExceeded,
    )

__all__ = [
    "Bulkhead",
    "BulkheadFull",
    "Cache",
    "CircuitBreaker",
    "CircuitOpen",
    "CircuitState",
    "Clock",
    "Deadline",
    "DeadlineExceeded",
    "EsteioError",
    "Event",
    "Fallback",
    "Hedge",
    "LoadShed",
    "LoadShedder",
    "Outcome",
    "Pipeline",
    "Policy",
    "PolicyError",
    "Priority",
    "Registry",
    "Rejected",
    "RetriesExhausted",
    "Retry",
    "RetryBudget",
    "SystemClock",
    "Timeout",
    "TimeoutExceeded",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from esteio import policy

    value = globals()[name] = getattr(policy, name)
    return value
