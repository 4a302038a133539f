"""Circuit breaker: definition, state machine, and the circuit that runs it."""

from __future__ import annotations

from esteio.policy.breaker._circuit import Circuit, ManualPermit
from esteio.policy.breaker._definition import CircuitBreaker, CountWindow, TimeWindow
from esteio.policy.breaker._machine import CircuitState

__all__ = ["Circuit", "CircuitBreaker", "CircuitState", "CountWindow", "ManualPermit", "TimeWindow"]
