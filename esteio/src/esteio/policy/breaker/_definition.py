"""What a circuit breaker is told: when to open, for how long, and how to close again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from esteio.policy._errors import NEVER_HANDLED, DeadlineExceeded, Rejected
from esteio.policy._parameters import (
    ExceptionTypes,
    count,
    exception_types,
    factor,
    function,
    optional_seconds,
    seconds,
    share,
)
from esteio.policy._policy import Binding, Policy

if TYPE_CHECKING:
    from esteio.policy.breaker._circuit import Circuit

__all__ = ["CircuitBreaker", "CountWindow", "TimeWindow"]


@dataclass(frozen=True, slots=True)
class CountWindow:
    """The last `size` calls; nothing opens before `minimum` of them are known. Memory: the failures among them."""

    size: int = 100
    minimum: int = 10

    def __post_init__(self) -> None:
        count("CountWindow", "size", self.size)
        count("CountWindow", "minimum", self.minimum)
        if self.minimum > self.size:
            msg = f"CountWindow: minimum={self.minimum} is above size={self.size}, so it could never open; lower it"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The calls of the last `seconds`, to 1/20 of it; nothing opens before `minimum` of them are known."""

    seconds: float = 60.0
    minimum: int = 10

    def __post_init__(self) -> None:
        seconds("TimeWindow", "seconds", self.seconds)
        count("TimeWindow", "minimum", self.minimum)


@dataclass(frozen=True, slots=True)
class CircuitBreaker(Policy):
    """Stops calling what keeps failing, and finds out carefully when it is back.

    Without a `window`, `failures` consecutive failures open it. With a window, a share of `failure_rate`
    failed calls in it does, or a share of `slow_rate` calls that took `slow_after` seconds or more - calls
    still running count from then on. Open lasts `open_for` seconds, each time `open_growth` times longer up
    to `open_max`, plus up to `jitter` of it at random. Then at most `probes` calls at once are let through;
    `successes` of them close it, one failure opens it again; a probe not back after `probe_lease` seconds
    (default: `open_for`) is given up and its place is free.

    Only exceptions of `on` and not of `ignore` are failures, and results for which `result` is true. All
    others, cancellation and the rejections of other policies count neither way. Circuits with the same
    `name` in one registry are one circuit.
    """

    failures: int = 5
    successes: int = 2
    open_for: float = 30.0
    window: CountWindow | TimeWindow | None = None
    failure_rate: float = 0.5
    slow_after: float | None = None
    slow_rate: float = 1.0
    probes: int = 1
    probe_lease: float | None = None
    open_growth: float = 1.0
    open_max: float = 300.0
    jitter: float = 0.1
    on: ExceptionTypes = (Exception,)
    ignore: ExceptionTypes = ()
    result: Callable[[Any], bool] | None = None
    name: str | None = None

    kind: ClassVar[str] = "breaker"

    def __post_init__(self) -> None:
        owner = "CircuitBreaker"
        for name in ("failures", "successes", "probes"):
            count(owner, name, getattr(self, name))
        for name in ("failure_rate", "slow_rate"):
            share(owner, name, getattr(self, name))
        seconds(owner, "open_for", self.open_for)
        seconds(owner, "open_max", self.open_max)
        seconds(owner, "jitter", self.jitter, zero=True)
        factor(owner, "open_growth", self.open_growth)
        optional_seconds(owner, "slow_after", self.slow_after)
        optional_seconds(owner, "probe_lease", self.probe_lease)
        function(owner, "result", self.result)
        for name in ("on", "ignore"):
            object.__setattr__(self, name, exception_types(owner, name, getattr(self, name)))
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        window: object = self.window
        if window is not None and not isinstance(window, CountWindow | TimeWindow):
            msg = f"CircuitBreaker: window={window!r}; pass CountWindow(size), TimeWindow(seconds) or None"
            raise TypeError(msg)
        if self.slow_after is not None and self.window is None:
            msg = f"CircuitBreaker: slow_after={self.slow_after} needs a window to take the share of; pass window="
            raise ValueError(msg)
        if self.open_max < self.open_for:
            msg = f"CircuitBreaker: open_max={self.open_max} is below open_for={self.open_for}; raise it"
            raise ValueError(msg)

    def is_failure(self, error: BaseException) -> bool:
        """Whether `error` speaks against what was called."""
        return (
            isinstance(error, self.on)
            and not isinstance(error, (Rejected, DeadlineExceeded, *NEVER_HANDLED))
            and not isinstance(error, self.ignore)
        )

    def bind(self, binding: Binding) -> Circuit:
        """A closed circuit."""
        from esteio.policy.breaker._circuit import Circuit  # here: definition and execution are apart

        return Circuit(self, binding)
