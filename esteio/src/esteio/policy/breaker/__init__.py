"""Circuit breaker: definition and circuit, state machine, and the counting of failures."""

from __future__ import annotations

from esteio.policy.breaker._breaker import Circuit, CircuitBreaker, ManualPermit
from esteio.policy.breaker._failure_window import CountWindow, TimeWindow
from esteio.policy.breaker._machine import CircuitState

__all__ = ["Circuit", "CircuitBreaker", "CircuitState", "CountWindow", "ManualPermit", "TimeWindow"]
