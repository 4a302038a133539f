"""From bound policies to one callable.

Promises: the outermost policy is the outermost frame, and nothing is decided per call that can be decided
here. Around a coroutine function, a run of Deadline, Retry, CircuitBreaker, Bulkhead, Timeout in this order
(one or more, a time limit among them) becomes a single frame for the usual case: see `_fused`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from esteio.policy._policy import AnyCall, Bound
from esteio.policy.deadline._execution import TotalTime
from esteio.policy.pipeline._fused import ORDER, fuse
from esteio.policy.timeout._execution import TimeLimit

__all__ = ["guard", "guard_async"]


def guard(bounds: Sequence[Bound[Any]], call: AnyCall) -> AnyCall:
    """`call`, a plain function, inside all of `bounds`, outermost first."""
    for bound in reversed(bounds):
        call = bound.wrap(call)
    return call


def guard_async(bounds: Sequence[Bound[Any]], call: AnyCall, *, fused: bool = True) -> AnyCall:
    """`call`, a coroutine function, inside all of `bounds`, outermost first."""
    end = len(bounds)
    while end:
        start = _run_start(bounds, end) if fused else end - 1
        run = bounds[start:end]
        if fused and any(isinstance(bound, TotalTime | TimeLimit) for bound in run):
            call = _fuse_run(run, call)
        else:
            start, call = end - 1, bounds[end - 1].wrap_async(call)
        end = start
    return call


def _rank(bound: Bound[Any]) -> int | None:
    return ORDER.index(type(bound)) if type(bound) in ORDER else None


def _run_start(bounds: Sequence[Bound[Any]], end: int) -> int:
    """Where the longest run in the order of `ORDER` begins that ends before `end`."""
    start, rank = end - 1, _rank(bounds[end - 1])
    while start > 0 and rank is not None:
        before = _rank(bounds[start - 1])
        if before is None or before >= rank:
            break
        start, rank = start - 1, before
    return start


def _fuse_run(run: Sequence[Bound[Any]], call: AnyCall) -> AnyCall:
    inside = [bound for bound in run if ORDER.index(type(bound)) > 1]  # below Deadline and Retry
    return fuse(run, call, guard_async(inside, call, fused=False), guard_async(run, call, fused=False))
