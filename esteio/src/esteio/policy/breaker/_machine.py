"""The state machine of a circuit. Pure: no lock, no clock, no callback; the caller serialises.

Each call holds a `Permit` of the era in which it began; each transition begins a new era, and what comes
back with a permit of an older one is discarded. `calm` is the permit that all calls share while there is
nothing to remember: then a success is one increment of `passed`, and needs no lock.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import inf

from esteio.policy.breaker._definition import CircuitBreaker
from esteio.policy.breaker._tally import make_tally

__all__ = ["Change", "CircuitState", "Machine", "Permit"]


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
    """The right to make one call (or, while all is calm, any number)."""

    __slots__ = ("counted", "era", "started")

    def __init__(self, era: int, started: float) -> None:
        self.era = era
        self.started = started
        self.counted = False  # as slow, while still running


Change = tuple[CircuitState, CircuitState, str]


class Machine:
    """All that a circuit knows."""

    def __init__(self, definition: CircuitBreaker, random: Callable[[], float]) -> None:
        self.definition = definition
        self.random = random
        self.state = CircuitState.CLOSED
        self.era = 0
        self.passed = self.failed = self.ignored = self.rejected = self.late = self.opened = 0
        self.overdue = 0  # counted while running, not yet back
        self.running: dict[Permit, None] = {}
        self.leases: dict[Permit, float] = {}
        self.probes_passed = 0
        self.period = 0.0  # the last open period; 0 after closing, so that growth starts again
        self.shut_until = -inf  # below this moment nothing is let through: the whole check of a rejection
        self.suspect_until = -inf
        self.changes: list[Change] = []
        self.calm: Permit | None = None
        self._fresh()

    # -- asking

    def admit(self, now: float) -> Permit | None:
        """A permit, or None when the call must not be made."""
        if self.state in _COUNTING and self.definition.slow_after is not None:
            self._count_overdue(now)
        if self.state is CircuitState.OPEN and now >= self.shut_until:
            self._enter(CircuitState.HALF_OPEN, "the open period is over")
        if self.state is CircuitState.HALF_OPEN:
            return self._lease(now)
        if self.state in (CircuitState.OPEN, CircuitState.FORCED_OPEN):
            self.rejected += 1
            return None
        if self.calm is not None:
            return self.calm
        permit = Permit(self.era, now)
        if self.definition.slow_after is not None and self.state in _COUNTING:
            self.running[permit] = None
        return permit

    def _lease(self, now: float) -> Permit | None:
        for permit in [p for p, until in self.leases.items() if until <= now]:
            del self.leases[permit]
        if len(self.leases) >= self.definition.probes:
            self.rejected += 1
            return None
        permit = Permit(self.era, now)
        self.leases[permit] = now + (self.definition.probe_lease or self.definition.open_for)
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
        if permit.era != self.era:
            self.late += 1
            return
        self.passed += 1
        if self.state is CircuitState.HALF_OPEN:
            self._probe_succeeded(permit, now)
        elif self.state in _COUNTING:
            self._count(permit, now, failed=False)

    def failure(self, permit: Permit, now: float) -> None:
        """The call failed."""
        if permit.era != self.era:
            self.late += 1
            return
        self.failed += 1
        if self.state is CircuitState.HALF_OPEN:
            if self.leases.pop(permit, None) is not None:
                self._open(now, "a probe failed")
        elif self.state in _COUNTING:
            self._count(permit, now, failed=True)

    def ignore(self, permit: Permit) -> None:
        """The call ended in a way that says nothing: give the permit back."""
        self.ignored += 1
        self.leases.pop(permit, None)
        self.running.pop(permit, None)
        if permit.counted and permit.era == self.era:
            permit.counted = False  # it stays in the tally as one slow call

    def _probe_succeeded(self, permit: Permit, now: float) -> None:
        if self.leases.pop(permit, None) is None:
            return  # its lease ran out; another probe has its place
        slow_after = self.definition.slow_after
        if slow_after is not None and now - permit.started >= slow_after:
            self._open(now, "a probe was slow")
            return
        self.probes_passed += 1
        if self.probes_passed >= self.definition.successes:
            self.period = 0.0
            self._enter(CircuitState.CLOSED, f"{self.probes_passed} probes succeeded")

    # -- counting

    def _ended(self) -> int:
        return self.passed + self.failed + self.overdue

    def _count(self, permit: Permit, now: float, *, failed: bool) -> None:
        slow_after = self.definition.slow_after
        self.running.pop(permit, None)
        if permit.counted:
            permit.counted = False
            self.overdue -= 1
            if failed:
                self.tally.amend(self._ended(), now)
        else:
            slow = slow_after is not None and now - permit.started >= slow_after
            self.tally.add(self._ended(), now, failed, slow)
        if slow_after is not None:
            self._count_overdue(now)
        self._judge(now, failed)

    def _count_overdue(self, now: float) -> None:
        limit = now - (self.definition.slow_after or inf)
        late = []
        for permit in self.running:
            if permit.started > limit:
                break
            late.append(permit)
        for permit in late:
            del self.running[permit]
            permit.counted = True
            self.overdue += 1
            self.tally.add(self._ended(), now, False, True)
        if late:
            self._judge(now, failed=False)

    def _judge(self, now: float, failed: bool) -> None:
        reason = self.tally.tripped(self._ended(), now)
        if reason is None and failed and now < self.suspect_until:
            reason = "a failure here, and other instances opened already"
        if reason is None:
            self._settle()
        elif self.state is CircuitState.METRICS_ONLY:
            self.changes.append((self.state, self.state, reason))
            self._fresh()
        else:
            self._open(now, reason)

    def _settle(self) -> None:
        quiet = self.tally.quiet and self.definition.slow_after is None and self.definition.result is None
        if self.state in _COUNTING and quiet:
            self.calm = self.calm or Permit(self.era, 0.0)
        elif self.state is CircuitState.DISABLED:
            self.calm = Permit(self.era, 0.0)
        else:
            self.calm = None

    # -- moving

    def _open(self, now: float, reason: str) -> None:
        made = self.definition
        self.period = min(self.period * made.open_growth, made.open_max) if self.period else made.open_for
        self.opened += 1
        self._enter(CircuitState.OPEN, reason)
        self.shut_until = now + self.period * (1 + made.jitter * self.random())

    def _enter(self, state: CircuitState, reason: str) -> None:
        if state is not self.state:
            self.changes.append((self.state, state, reason))
        self.state = state
        self.shut_until = inf if state is CircuitState.FORCED_OPEN else -inf
        self._fresh()

    def _fresh(self) -> None:
        self.era += 1
        self.calm = None
        self.running.clear()
        self.leases.clear()
        self.overdue = self.probes_passed = 0
        self.tally = make_tally(self.definition, self._ended())
        self._settle()

    def force(self, state: CircuitState, reason: str) -> None:
        """Go to `state` because somebody says so; what still runs no longer counts."""
        self.period = 0.0
        self.suspect_until = -inf
        self._enter(state, reason)

    def redefine(self, definition: CircuitBreaker) -> None:
        """Other thresholds; the state stays, the counting starts again."""
        self.definition = definition
        if self.state is not CircuitState.HALF_OPEN:
            self._fresh()
