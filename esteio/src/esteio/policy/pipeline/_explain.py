"""A pipeline in words: its order, and the worst that one call through it can cost."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from esteio.policy._policy import Cost, Policy

__all__ = ["explain", "worst_case"]


def worst_case(policies: Sequence[Policy]) -> Cost:
    """The most calls of the function, and the most seconds, that one call can cost."""
    cost = Cost()
    for policy in reversed(policies):
        cost = policy.worst(cost)
    return cost


def _notes(policies: Sequence[Policy]) -> list[str]:
    kinds = [policy.kind for policy in policies]
    notes = []
    if "breaker" in kinds and "timeout" not in kinds[kinds.index("breaker") :]:
        notes.append("no Timeout inside the CircuitBreaker: a call that hangs is never counted as a failure")
    if "retry" in kinds and "breaker" in kinds[: kinds.index("retry")]:
        notes.append("CircuitBreaker outside Retry: it sees whole retried calls, not attempts")
    if "bulkhead" in kinds and "retry" in kinds[kinds.index("bulkhead") :]:
        notes.append("Bulkhead outside Retry: a slot is held while a retry waits")
    return notes


def explain(name: str, policies: Sequence[Policy]) -> str:
    """Several lines of text."""
    cost = worst_case(policies)
    lines = [f"{name}, outermost first:"]
    lines += [f"  {number}. {policy.describe()}" for number, policy in enumerate(policies, 1)]
    calls = "without bound" if cost.calls == inf else f"{cost.calls:g}"
    seconds = "without bound" if cost.seconds == inf else f"{cost.seconds:g} s"
    lines.append(f"worst case: calls of the function: {calls}; time: {seconds}")
    lines += [f"note: {note}" for note in _notes(policies)]
    return "\n".join(lines)
