"""The state machine of a circuit. Pure: no lock, no clock, no callback; the caller serialises.

Each call holds a `Permit` of the generation in which it began; each transition begins a new generation, and what
comes back with a permit of an older one is discarded. `fast_permit` is the permit that all calls share while
there is nothing to remember: then a success is one increment of `passed`, and needs no lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from esteio.policy._parameters import count, factor, optional_seconds, seconds, share
from esteio.policy.breaker._failure_window import CountWindow, TimeWindow, failure_window

__all__ = ["Change", "CircuitState", "Machine", "Permit", "Thresholds"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The part of a `CircuitBreaker` that decides; see there for what each parameter means."""

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


class CircuitState(StrEnum):
    """Where a circuit can be; FORCED_OPEN, DISABLED and METRICS_ONLY last until `reset()`."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    FORCED_OPEN = "forced open"
    DISABLED = "disabled"
    METRICS_ONLY = "metrics only"


_COUNTING = (CircuitState.CLOSED, CircuitState.METRICS_ONLY)


class Permit:
    """The right to make one call (or, as the fast permit, any number)."""

    __slots__ = ("counted_slow", "generation", "started")

    def __init__(self, generation: int, started: float) -> None:
        self.generation = generation
        self.started = started
        self.counted_slow = False  # while it was still running


Change = tuple[CircuitState, CircuitState, str]


class Machine:
    """All that a circuit knows. `judges_results`: each result must be looked at, so there is no fast permit."""

    def __init__(self, thresholds: Thresholds, random: Callable[[], float], *, judges_results: bool = False) -> None:
        self.thresholds = thresholds
        self.judges_results = judges_results
        self.random = random
        self.state = CircuitState.CLOSED
        self.generation = 0
        self.passed = self.failed = self.ignored = self.rejected = self.late = self.opened = 0
        self.overdue = 0  # counted as slow while running, not yet back
        self.running: dict[Permit, None] = {}  # in the order in which they began
        self.leases: dict[Permit, float] = {}  # probes under way, and when their place is free again
        self.probes_passed = 0
        self.period = 0.0  # the last open period; 0 after closing, so that growth starts again
        self.shut_until = -inf  # below this moment nothing is let through: the whole check of a rejection
        self.suspect_until = -inf
        self.changes: list[Change] = []  # for the caller to tell, after it has released its lock
        self.fast_permit: Permit | None = None
        self._begin_generation()

    # -- asking

    def admit(self, now: float) -> Permit | None:
        """A permit, or None when the call must not be made."""
        if self.state in _COUNTING and self.thresholds.slow_after is not None:
            self._count_overdue(now)
        if self.state is CircuitState.OPEN and now >= self.shut_until:
            self._enter(CircuitState.HALF_OPEN, "the open period is over")
        if self.state is CircuitState.HALF_OPEN:
            return self._lease(now)
        if self.state in (CircuitState.OPEN, CircuitState.FORCED_OPEN):
            self.rejected += 1
            return None
        if self.fast_permit is not None:
            return self.fast_permit
        permit = Permit(self.generation, now)
        if self.thresholds.slow_after is not None and self.state in _COUNTING:
            self.running[permit] = None
        return permit

    def _lease(self, now: float) -> Permit | None:
        for permit in [p for p, until in self.leases.items() if until <= now]:
            del self.leases[permit]
        if len(self.leases) >= self.thresholds.probes:
            self.rejected += 1
            return None
        permit = Permit(self.generation, now)
        self.leases[permit] = now + (self.thresholds.probe_lease or self.thresholds.open_for)
        return permit

    def retry_after(self, now: float) -> float | None:
        """Seconds until a call may be let through; None when only an operator can change that."""
        if self.state is CircuitState.FORCED_OPEN:
            return None
        if self.state is CircuitState.OPEN:
            return max(0.0, self.shut_until - now)
        return max(0.0, min(self.leases.values(), default=now) - now)

    # -- telling

    def succeeded(self, permit: Permit, now: float) -> None:
        """The call came back with an acceptable result."""
        if permit.generation != self.generation:
            self.late += 1
            return
        self.passed += 1
        if self.state is CircuitState.HALF_OPEN:
            self._probe_succeeded(permit, now)
        elif self.state in _COUNTING:
            self._count(permit, now, failed=False)

    def failure(self, permit: Permit, now: float) -> None:
        """The call failed."""
        if permit.generation != self.generation:
            self.late += 1
            return
        self.failed += 1
        if self.state is CircuitState.HALF_OPEN:
            if self.leases.pop(permit, None) is not None:
                self._open(now, "a probe failed")
        elif self.state in _COUNTING:
            self._count(permit, now, failed=True)

    def ignore(self, permit: Permit) -> None:
        """The call ended in a way that says nothing: give the permit back. One counted as slow stays counted."""
        self.ignored += 1
        self.leases.pop(permit, None)
        self.running.pop(permit, None)

    def _probe_succeeded(self, permit: Permit, now: float) -> None:
        if self.leases.pop(permit, None) is None:
            return  # its lease ran out; another probe has its place
        slow_after = self.thresholds.slow_after
        if slow_after is not None and now - permit.started >= slow_after:
            self._open(now, "a probe was slow")
            return
        self.probes_passed += 1
        if self.probes_passed >= self.thresholds.successes:
            self.period = 0.0
            self._enter(CircuitState.CLOSED, f"{self.probes_passed} probes succeeded")

    # -- counting

    def _ended(self) -> int:
        return self.passed + self.failed + self.overdue

    def _count(self, permit: Permit, now: float, *, failed: bool) -> None:
        slow_after = self.thresholds.slow_after
        self.running.pop(permit, None)
        if permit.counted_slow:
            self.overdue -= 1  # `passed` or `failed` has it from now on
            if failed:
                self.window.amend(self._ended(), now)
        else:
            slow = slow_after is not None and now - permit.started >= slow_after
            self.window.add(self._ended(), now, failed, slow)
        if slow_after is not None:
            self._count_overdue(now)
        if permit.generation == self.generation:  # the calls still running may have opened it already, on this event
            self._judge(now, failed)

    def _count_overdue(self, now: float) -> None:
        """Count the calls that are slow by now although they have not come back: a hang must open a circuit too."""
        limit = now - (self.thresholds.slow_after or inf)
        late = []
        for permit in self.running:
            if permit.started > limit:
                break
            late.append(permit)
        for permit in late:
            del self.running[permit]
            permit.counted_slow = True
            self.overdue += 1
            self.window.add(self._ended(), now, False, True)
        if late:
            self._judge(now, failed=False)

    def _judge(self, now: float, failed: bool) -> None:
        reason = self.window.tripped(self._ended(), now)
        if reason is None and failed and now < self.suspect_until:
            reason = "a failure here, and other instances opened already"
        if reason is None:
            self._set_fast_permit()
        elif self.state is CircuitState.METRICS_ONLY:
            self.changes.append((self.state, self.state, reason))
            self._begin_generation()
        else:
            self._open(now, reason)

    def _set_fast_permit(self) -> None:
        quiet = self.window.quiet and self.thresholds.slow_after is None and not self.judges_results
        if self.state in _COUNTING and quiet:
            self.fast_permit = self.fast_permit or Permit(self.generation, 0.0)
        elif self.state is CircuitState.DISABLED:
            self.fast_permit = Permit(self.generation, 0.0)
        else:
            self.fast_permit = None

    # -- moving

    def _open(self, now: float, reason: str) -> None:
        made = self.thresholds
        self.period = min(self.period * made.open_growth, made.open_max) if self.period else made.open_for
        self.opened += 1
        self._enter(CircuitState.OPEN, reason)
        self.shut_until = now + self.period * (1 + made.jitter * self.random())

    def _enter(self, state: CircuitState, reason: str) -> None:
        if state is not self.state:
            self.changes.append((self.state, state, reason))
        self.state = state
        self.shut_until = inf if state is CircuitState.FORCED_OPEN else -inf
        self._begin_generation()

    def _begin_generation(self) -> None:
        self.generation += 1
        self.fast_permit = None
        self.running.clear()
        self.leases.clear()
        self.overdue = self.probes_passed = 0
        made = self.thresholds
        self.window = failure_window(made.window, made.failures, made, self._ended())
        self._set_fast_permit()

    def force(self, state: CircuitState, reason: str) -> None:
        """Go to `state` because somebody says so; what still runs no longer counts."""
        self.period = 0.0
        self.suspect_until = -inf
        self._enter(state, reason)

    def redefine(self, thresholds: Thresholds, *, judges_results: bool = False) -> None:
        """Other thresholds; the state stays, the counting starts again."""
        self.thresholds = thresholds
        self.judges_results = judges_results
        if self.state is not CircuitState.HALF_OPEN:
            self._begin_generation()
