"""Policies that keep a call from doing harm: retry, circuit breaker, deadline, bulkhead and their family.

Promises: policies are immutable definitions; a `Pipeline` puts them in order around plain and coroutine
functions alike, keeps state by name, and is safe across threads, tasks and forks. The success path costs
fractions of a microsecond. No dependencies. Errors: `Rejected` (not called), `TimeoutExceeded` and
`DeadlineExceeded` (time was up); everything else is the function's own exception.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in `typing`; the names are imported when they are first used
if TYPE_CHECKING:
    from esteio.policy import deadline, presets
    from esteio.policy._backoff import Constant, Exponential
    from esteio.policy._budget import RetryBudget
    from esteio.policy._cache import Cache
    from esteio.policy._errors import (
        BulkheadFull,
        CircuitOpen,
        DeadlineExceeded,
        LoadShed,
        PolicyError,
        Rejected,
        RetriesExhausted,
        TimeoutExceeded,
    )
    from esteio.policy._events import (
        AttemptFailed,
        CallRejected,
        CallTimedOut,
        CircuitChanged,
        CircuitWouldOpen,
        FallbackUsed,
        Hedged,
        LateResult,
        LimitChanged,
        Recovered,
        RetriesGaveUp,
        StaleServed,
    )
    from esteio.policy._fallback import Fallback
    from esteio.policy._hedge import Hedge
    from esteio.policy._outcome import Attempts, Outcome, attempts_of
    from esteio.policy._policy import Cost, Policy, Snapshot
    from esteio.policy._retry import Retry
    from esteio.policy._shedder import LoadShedder, Priority, priority
    from esteio.policy._timeout import Timeout
    from esteio.policy.breaker import Circuit, CircuitBreaker, CircuitState, CountWindow, ManualPermit, TimeWindow
    from esteio.policy.bulkhead import AIMD, Bulkhead, Gradient
    from esteio.policy.deadline import Deadline
    from esteio.policy.pipeline import Pipeline, PipelineSnapshot, Registry
    from esteio.policy.pipeline._pipeline import REGISTRY as registry  # noqa: N811 - an object to use, not a constant to read

__all__ = [
    "AIMD",
    "AttemptFailed",
    "Attempts",
    "Bulkhead",
    "BulkheadFull",
    "Cache",
    "CallRejected",
    "CallTimedOut",
    "Circuit",
    "CircuitBreaker",
    "CircuitChanged",
    "CircuitOpen",
    "CircuitState",
    "CircuitWouldOpen",
    "Constant",
    "Cost",
    "CountWindow",
    "Deadline",
    "DeadlineExceeded",
    "Exponential",
    "Fallback",
    "FallbackUsed",
    "Gradient",
    "Hedge",
    "Hedged",
    "LateResult",
    "LimitChanged",
    "LoadShed",
    "LoadShedder",
    "ManualPermit",
    "Outcome",
    "Pipeline",
    "PipelineSnapshot",
    "Policy",
    "PolicyError",
    "Priority",
    "Recovered",
    "Registry",
    "Rejected",
    "RetriesExhausted",
    "RetriesGaveUp",
    "Retry",
    "RetryBudget",
    "Snapshot",
    "StaleServed",
    "TimeWindow",
    "Timeout",
    "TimeoutExceeded",
    "attempts_of",
    "deadline",
    "presets",
    "priority",
    "registry",
]

_PLACES = {
    "_backoff": ("Constant", "Exponential"),
    "_budget": ("RetryBudget",),
    "_cache": ("Cache",),
    "_errors": (
        "BulkheadFull",
        "CircuitOpen",
        "DeadlineExceeded",
        "LoadShed",
        "PolicyError",
        "Rejected",
        "RetriesExhausted",
        "TimeoutExceeded",
    ),
    "_events": (
        "AttemptFailed",
        "CallRejected",
        "CallTimedOut",
        "CircuitChanged",
        "CircuitWouldOpen",
        "FallbackUsed",
        "Hedged",
        "LateResult",
        "LimitChanged",
        "Recovered",
        "RetriesGaveUp",
        "StaleServed",
    ),
    "_fallback": ("Fallback",),
    "_hedge": ("Hedge",),
    "_outcome": ("Attempts", "Outcome", "attempts_of"),
    "_policy": ("Cost", "Policy", "Snapshot"),
    "_retry": ("Retry",),
    "_shedder": ("LoadShedder", "Priority", "priority"),
    "_timeout": ("Timeout",),
    "breaker": ("Circuit", "CircuitBreaker", "CircuitState", "CountWindow", "ManualPermit", "TimeWindow"),
    "bulkhead": ("AIMD", "Bulkhead", "Gradient"),
    "deadline": ("Deadline",),
    "pipeline": ("Pipeline", "PipelineSnapshot", "Registry"),
    "pipeline._pipeline": ("registry",),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module = _MODULES.get(name)
    value: object
    if module is None:  # `deadline` and `presets` are modules themselves
        value = import_module(f"{__name__}.{name}")
    else:
        value = getattr(import_module(f"{__name__}.{module}"), "REGISTRY" if name == "registry" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
