"""What a combination of policies means: which can't work and why, and the worst that one call can cost.

Promises: each refusal is a `ValueError` or `TypeError` raised when a pipeline is built, and names both
policies and the way out. Recommended, outermost first: LoadShedder, Cache, Fallback, Deadline, Retry,
Hedge, CircuitBreaker, Bulkhead, Timeout.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from esteio.policy._hedge import Hedge
from esteio.policy._policy import Cost, Policy
from esteio.policy._retry import Retry
from esteio.policy._timeout import Timeout
from esteio.policy.deadline import Deadline

__all__ = ["explain", "refuse_impossible", "worst_case"]

_MANY_IF_NAMED = ("breaker", "bulkhead")
_MANY = ("timeout", "cache", "fallback")


def refuse_impossible(name: str, policies: Sequence[object]) -> None:
    """Raise for a combination that can't work."""
    if not isinstance(name, str) or not name:
        msg = f"Pipeline: name={name!r}; pass a name to find it by, such as 'viacep'"
        raise ValueError(msg)
    checked = [_as_policy(name, policy) for policy in policies]
    if not checked:
        msg = f"Pipeline {name!r}: no policies; pass at least one"
        raise ValueError(msg)
    _refuse_doubles(name, checked)
    for place, policy in enumerate(checked):
        outer, inner = checked[:place], checked[place + 1 :]
        policy.check_inside(name, outer)
        if isinstance(policy, Retry):
            _check_retry(name, policy, outer, inner)
        if isinstance(policy, Deadline):
            _check_deadline(name, policy, outer, inner)


def _as_policy(name: str, policy: object) -> Policy:
    if not isinstance(policy, Policy):
        msg = f"Pipeline {name!r}: {policy!r} is not a policy; pass Retry(...), CircuitBreaker(...) and so on"
        raise TypeError(msg)
    return policy


def _refuse_doubles(name: str, policies: list[Policy]) -> None:
    seen: set[tuple[str, str | None]] = set()
    kinds: set[str] = set()
    for policy in policies:
        key = (policy.kind, policy.name)
        named_apart = policy.kind in _MANY_IF_NAMED and policy.name is not None and key not in seen
        if policy.kind in kinds and policy.kind not in _MANY and not named_apart:
            msg = f"Pipeline {name!r}: two policies of kind {policy.kind} would multiply each other; keep one" + (
                ", or give each a name= of its own" if policy.kind in _MANY_IF_NAMED else ""
            )
            raise ValueError(msg)
        kinds.add(policy.kind)
        seen.add(key)


def _check_retry(name: str, retry: Retry, outer: list[Policy], inner: list[Policy]) -> None:
    for policy in (*outer, *inner):
        if isinstance(policy, Hedge) and not retry.idempotent:
            msg = f"Pipeline {name!r}: Retry says idempotent=False and Hedge says True; only one of them can be right"
            raise ValueError(msg)
        if isinstance(policy, Hedge) and policy.budget != retry.budget:
            msg = f"Pipeline {name!r}: Retry and Hedge spend from one budget; give both the same budget="
            raise ValueError(msg)


def _check_deadline(name: str, deadline: Deadline, outer: list[Policy], inner: list[Policy]) -> None:
    for policy in outer:
        if isinstance(policy, Retry | Hedge):
            kind = type(policy).__name__
            msg = (
                f"Pipeline {name!r}: a Deadline inside {kind} limits each attempt only; put it outside, or use Timeout"
            )
            raise ValueError(msg)
    for policy in inner:
        if isinstance(policy, Timeout) and policy.seconds > deadline.seconds:
            msg = (
                f"Pipeline {name!r}: Timeout of {policy.seconds:g} s is above the Deadline of {deadline.seconds:g} s "
                "around it and would never be reached; lower it"
            )
            raise ValueError(msg)


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
