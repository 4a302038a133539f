"""The breaker against a simple model: any order of calls, ends, waits, late and lost results."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from esteio import CircuitBreaker, CircuitOpen, Pipeline
from esteio.policy import ManualPermit
from esteio.testing import ManualClock

FAILURES, SUCCESSES, OPEN_FOR, PROBES, LEASE = 3, 2, 10.0, 2, 4.0


class Model:
    """What the documentation says, without any cleverness."""

    def __init__(self) -> None:
        self.state, self.streak, self.passed, self.until, self.generation = "closed", 0, 0, 0.0, 0
        self.probes: dict[int, float] = {}

    def go(self, state: str, now: float) -> None:
        self.state, self.streak, self.passed = state, 0, 0
        self.until = now + OPEN_FOR
        self.generation += 1
        self.probes = {}

    def ask(self, ticket: int, now: float) -> bool:
        if self.state == "open" and now >= self.until:
            self.go("half-open", now)
        if self.state == "half-open":
            self.probes = {t: end for t, end in self.probes.items() if end > now}
            if len(self.probes) == PROBES:
                return False
            self.probes[ticket] = now + LEASE
        return self.state != "open"

    def told(self, ticket: int, generation: int, end: str, now: float) -> None:
        if generation != self.generation:
            return
        if self.state == "closed" and end != "ignored":
            self.streak = self.streak + 1 if end == "failure" else 0
            if self.streak == FAILURES:
                self.go("open", now)
        elif self.state == "half-open" and self.probes.pop(ticket, None) is not None:
            if end == "failure":
                self.go("open", now)
            elif end == "success":
                self.passed += 1
                if self.passed == SUCCESSES:
                    self.go("closed", now)


class Breaker(RuleBasedStateMachine):
    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        breaker = CircuitBreaker(FAILURES, SUCCESSES, OPEN_FOR, probes=PROBES, probe_lease=LEASE, jitter=0)
        self.circuit = Pipeline("model", breaker, clock=self.clock, registry=None).circuit
        self.model = Model()
        self.tickets = 0

    @rule(target=calls)
    def begin(self) -> tuple[int, int, ManualPermit] | None:
        self.tickets += 1
        allowed = self.model.ask(self.tickets, self.clock.monotonic())
        try:
            permit = self.circuit.permit()
        except CircuitOpen:
            assert not allowed
            return None
        assert allowed
        return self.tickets, self.model.generation, permit

    @rule(call=consumes(calls), end=st.sampled_from(["success", "failure", "ignored"]))
    def finish(self, call: tuple[int, int, ManualPermit] | None, end: str) -> None:
        if call is None:
            return
        ticket, generation, permit = call
        self.model.told(ticket, generation, end, self.clock.monotonic())
        if end == "success":
            permit.success()
        elif end == "failure":
            permit.failure(OSError())
        else:
            permit.ignore()

    @rule(seconds=st.sampled_from([0.5, 3.0, 4.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def trip_and_wait(self) -> None:
        for _ in range(FAILURES):
            self.finish(self.begin(), "failure")
        self.wait(OPEN_FOR)

    @rule()
    def reset(self) -> None:
        self.circuit.reset()
        self.model.go("closed", self.clock.monotonic())

    @invariant()
    def same_state(self) -> None:
        assert self.circuit.state == self.model.state


Breaker.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_breaker_behaves_as_its_model = Breaker.TestCase
