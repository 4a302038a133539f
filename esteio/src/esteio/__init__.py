"""Esteio: the post that holds up the house. High availability for Python services.

Every name is imported when it is first used, so that `import esteio` costs next to nothing in programs that need
one of them or none; type checkers and editors see all of them.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, which is not imported for this one name
if TYPE_CHECKING:
    from esteio.clock import Clock, SystemClock
    from esteio.errors import EsteioError
    from esteio.events import Event
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

    __version__: str

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
    "__version__",
]

_PLACES = {"Clock": "clock", "SystemClock": "clock", "EsteioError": "errors", "Event": "events"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object
    if name == "__version__":
        value = _version()
    else:
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_PLACES.get(name, 'policy')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version of the installed distribution; `0+unknown` where its files were only copied."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("esteio")
    except PackageNotFoundError:
        return "0+unknown"
