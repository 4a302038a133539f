"""Policies in order, around functions; and all pipelines by name: for pages, metrics, and changes while they run.

Promises: the first policy is the outermost; a combination that can't work is refused when built; the
pipeline and its policies never change their order, only their parameters, by `reconfigure`. Guarded
functions keep their signature and kind. Safe to use from any number of threads, tasks and event loops.

A registry keeps no pipeline alive; policies that carry a name of their own have one state per registry and
name, and a second definition that differs is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from random import random as system_random
from threading import RLock
from typing import Any, ParamSpec, TypeVar, cast, overload
from weakref import WeakValueDictionary

from esteio.clock import SYSTEM, Clock
from esteio.policy._budget import BudgetState, RetryBudget
from esteio.policy._forks import renew_after_fork
from esteio.policy._functions import call_async, call_plain, is_async
from esteio.policy._outcome import ATTEMPTS_SEEN, Outcome
from esteio.policy._policy import AnyCall, Binding, Bound, Cost, Policy, Snapshot
from esteio.policy._retry import BoundRetry
from esteio.policy._retry_run import ShutFor, never_shut
from esteio.policy._scope import time_source
from esteio.policy._timeout import BoundTimeout
from esteio.policy.breaker._breaker import Circuit
from esteio.policy.bulkhead._bulkhead import BoundBulkhead
from esteio.policy.deadline import BoundDeadline
from esteio.policy.pipeline._attempts import Attempting
from esteio.policy.pipeline._order import explain, refuse_impossible, worst_case

__all__ = ["REGISTRY", "Pipeline", "PipelineSnapshot", "Registry", "guard", "guard_async"]

P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger("esteio.policy")


def guard(bounds: Sequence[Bound[Any]], call: AnyCall) -> AnyCall:
    """`call`, a plain function, inside all of `bounds`, outermost first."""
    for place in reversed(range(len(bounds))):
        bound = bounds[place]
        inside = bounds[place + 1 :]
        call = bound.wrap(call, _shut_for(inside)) if isinstance(bound, BoundRetry) else bound.wrap(call)
    return call


def guard_async(bounds: Sequence[Bound[Any]], call: AnyCall, *, own_timers: bool = False) -> AnyCall:
    """`call`, a coroutine function, inside all of `bounds`, outermost first.

    A Deadline outside of a Timeout needs no timer of its own (`own_timers`, for the test that holds the two ways
    against each other): the Timeout stops the function when the deadline passes, too.
    """
    for place in reversed(range(len(bounds))):
        bound = bounds[place]
        if isinstance(bound, BoundDeadline) and not own_timers and _obey_the_scope(bounds[place + 1 :]):
            call = bound.show(call)
        elif isinstance(bound, BoundRetry):
            call = bound.wrap_async(call, _shut_for(bounds[place + 1 :]))
        else:
            call = bound.wrap_async(call)
    return call


def _shut_for(inside: Sequence[Bound[Any]]) -> ShutFor:
    """For how long the first circuit of these policies lets nothing through: a retry does not wait in vain then."""
    return next((bound.shut_for for bound in inside if isinstance(bound, Circuit)), never_shut)


def _obey_the_scope(inside: Sequence[Bound[Any]]) -> bool:
    """Whether none of these policies, with a Timeout innermost, lets a call wait beyond the scope's deadline."""
    clipped = (BoundRetry, Circuit, BoundBulkhead, BoundTimeout)
    return bool(inside) and isinstance(inside[-1], BoundTimeout) and all(isinstance(each, clipped) for each in inside)


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """One pipeline at one moment: its policies, outermost first."""

    name: str
    policies: tuple[Snapshot, ...]


class Registry:
    """Names, states, live changes. Most programs need only the default one, `esteio.policy.registry`."""

    def __init__(self) -> None:
        # Two threads that make the same named state must get one. Reentrant: binding a policy may run the user's code,
        # which may build a pipeline.
        self._lock = RLock()
        self._pipelines: WeakValueDictionary[str, Pipeline] = WeakValueDictionary()
        self._shared: WeakValueDictionary[tuple[str, str], Bound[Any]] = WeakValueDictionary()
        self._budgets: WeakValueDictionary[str, BudgetState] = WeakValueDictionary()
        renew_after_fork(self)

    def renew(self) -> None:
        """A new lock after a fork."""
        self._lock = RLock()

    def names(self) -> list[str]:
        """Names of all pipelines, sorted."""
        return [name for name, _ in self._all()]

    def _all(self) -> list[tuple[str, Pipeline]]:
        with self._lock:  # another thread may be making a pipeline
            return sorted(self._pipelines.items())

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; LookupError with the names there are."""
        pipeline = self._pipelines.get(name)
        if pipeline is None:
            msg = f"no pipeline {name!r}; there are: {', '.join(self.names()) or 'none'}"
            raise LookupError(msg)
        return pipeline

    def circuits(self) -> dict[str, Circuit]:
        """Every circuit, by `pipeline/policy`, as metrics and pages call it."""
        return {
            f"{name}/{bound.name}": bound
            for name, pipeline in self._all()
            for bound in pipeline._bounds  # noqa: SLF001 - of this module
            if isinstance(bound, Circuit)
        }

    def reconfigure(self, name: str, *policies: Policy) -> None:
        """Give the pipeline `name` other parameters; see `Pipeline.reconfigure`."""
        self.get(name).reconfigure(*policies)

    def snapshot(self) -> tuple[PipelineSnapshot, ...]:
        """All states now, by name."""
        return tuple([pipeline.snapshot() for _, pipeline in self._all()])

    # -- for pipelines

    def enter(self, pipeline: Pipeline) -> None:
        """Make a pipeline known; a later one of the same name takes its place."""
        with self._lock:
            before = self._pipelines.get(pipeline.name)
            self._pipelines[pipeline.name] = pipeline
        if before is not None and before.policies != pipeline.policies:  # told after the lock: a log may be slow
            _logger.warning(
                "pipeline %r is built a second time, with other policies; pages show the new one", pipeline.name
            )

    def bind(self, policy: Policy, binding: Binding) -> Bound[Any]:
        """The state of a named policy, made once; a fresh one for others."""
        if policy.name is None:
            return policy.bind(binding)
        key = (policy.kind, policy.name)
        with self._lock:
            bound = self._shared.get(key)
            if bound is None:
                bound = self._shared[key] = policy.bind(binding)
            elif bound.definition != policy:
                msg = (
                    f"{policy.kind} {policy.name!r} exists as {bound.definition.describe()}; "
                    f"pass the same parameters to share it, or another name: {policy.describe()}"
                )
                raise ValueError(msg)
            return bound

    def budget(self, definition: RetryBudget, now: Any) -> BudgetState:
        """The state of a named budget, made once; a fresh one for others."""
        if definition.name is None:
            return BudgetState(definition, now)
        with self._lock:
            state = self._budgets.get(definition.name)
            if state is None:
                state = self._budgets[definition.name] = BudgetState(definition, now)
            elif state.definition != definition:
                msg = f"retry budget {definition.name!r} exists as {state.definition}; use its numbers or another name"
                raise ValueError(msg)
            return state


REGISTRY = Registry()


class Pipeline:
    """Named policies, outermost first, that guard functions: as a decorator, by `call()`, or block by block.

    `clock` and `random` are injected by tests; `registry=None` keeps it off the pages.
    """

    def __init__(
        self,
        name: str,
        *policies: Policy,
        clock: Clock = SYSTEM,
        random: Callable[[], float] = system_random,
        registry: Registry | None = REGISTRY,
    ) -> None:
        refuse_impossible(name, policies)
        self.name = name
        self._clock = clock
        self._now = time_source(clock)
        binding = Binding(name, clock, random, self._budget(policies, registry))
        self._bounds: tuple[Bound[Any], ...]
        if registry is None:
            self._bounds = tuple([policy.bind(binding) for policy in policies])
        else:
            self._bounds = tuple([registry.bind(policy, binding) for policy in policies])
            registry.enter(self)

    def _budget(self, policies: tuple[Policy, ...], registry: Registry | None) -> BudgetState | None:
        for policy in policies:
            definition = getattr(policy, "budget", None)
            if definition is not None:
                return (
                    BudgetState(definition, self._now) if registry is None else registry.budget(definition, self._now)
                )
        return None

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r}: {' > '.join(type(policy).__name__ for policy in self.policies)}>"

    # -- guarding functions

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """`fn` guarded by all policies; same signature, `async def` stays `async def`.

        The guarded function has the pipeline as its attribute `pipeline`, which keeps it in the registry.
        """
        build = guard_async if is_async(fn) else guard
        guarded = update_wrapper(build(self._bounds, fn), fn)
        guarded.__dict__["pipeline"] = self
        return cast("Callable[P, R]", guarded)

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `fn` through the pipeline; for an `async def` the result is to be awaited."""
        if is_async(fn):
            return cast("R", self._through_async(fn, *args, **kwargs))
        return cast("R", self._through(fn, *args, **kwargs))

    def acall(self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """As `call`, for anything that returns an awaitable: a lambda, a partial, a client's method."""
        return cast("Coroutine[Any, Any, R]", self._through_async(fn, *args, **kwargs))

    @overload  # a coroutine function is a function too: the first one that fits is meant
    def outcome(  # type: ignore[overload-overlap]
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, Outcome[R]]: ...
    @overload
    def outcome(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]: ...
    def outcome(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """As `call`, with an `Outcome` instead of an exception."""
        if is_async(fn):
            return self._outcome_async(fn, args, kwargs)
        seen, began = [1], self._now()
        token = ATTEMPTS_SEEN.set(seen)
        value = error = None
        try:
            value = self._through(fn, *args, **kwargs)
        except Exception as raised:  # noqa: BLE001 - handed to the caller as a value
            error = raised
        finally:
            ATTEMPTS_SEEN.reset(token)
        try:
            return Outcome(value, error, seen[0], self._now() - began)
        finally:
            error = None  # its traceback holds this frame: no cycle for the collector

    async def _outcome_async(self, fn: AnyCall, args: Any, kwargs: Any) -> Outcome[Any]:
        seen, began = [1], self._now()
        token = ATTEMPTS_SEEN.set(seen)
        value = error = None
        try:
            value = await self._through_async(fn, *args, **kwargs)
        except Exception as raised:  # noqa: BLE001 - handed to the caller as a value
            error = raised
        finally:
            ATTEMPTS_SEEN.reset(token)
        try:
            return Outcome(value, error, seen[0], self._now() - began)
        finally:
            error = None  # its traceback holds this frame: no cycle for the collector

    @cached_property
    def _through(self) -> AnyCall:
        return guard(self._bounds, call_plain)

    @cached_property
    def _through_async(self) -> AnyCall:
        return guard_async(self._bounds, call_async)

    # -- guarding blocks

    def attempts(self) -> Attempting:
        """Guard a block: `async for attempt in pipe.attempts():`, in it `async with attempt:`; or both without async.

        For pipelines of Deadline, Retry, CircuitBreaker, Bulkhead and Timeout in this order. A rejection
        on entering an attempt ends the loop. Without async nothing can end the block, so a Timeout does nothing.
        """
        return Attempting(self.name, self._bounds, self._clock)

    # -- looking at it

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The definitions now, outermost first."""
        return tuple(bound.definition for bound in self._bounds)

    @property
    def circuit(self) -> Circuit:
        """The circuit of its (outermost) breaker; LookupError when it has none."""
        for bound in self._bounds:
            if isinstance(bound, Circuit):
                return bound
        msg = f"pipeline {self.name!r} has no CircuitBreaker; add one to it"
        raise LookupError(msg)

    def worst_case(self) -> Cost:
        """The most calls and seconds that one call can cost."""
        return worst_case(self.policies)

    def explain(self) -> str:
        """Order, worst-case number of calls, worst-case time, and what to think about."""
        return explain(self.name, self.policies)

    def snapshot(self) -> PipelineSnapshot:
        """The state of every policy now."""
        return PipelineSnapshot(self.name, tuple(bound.snapshot() for bound in self._bounds))

    # -- changing it

    def reconfigure(self, *policies: Policy) -> None:
        """Other parameters for the same kinds in the same order, from the next call on; states are kept."""
        refuse_impossible(self.name, policies)
        mine, given = ([_structure(policy) for policy in made] for made in (self.policies, policies))
        if mine != given:
            msg = f"pipeline {self.name!r} consists of {mine} and can't become {given}; build another pipeline"
            raise ValueError(msg)
        for bound, policy in zip(self._bounds, policies, strict=True):
            if bound.definition != policy:
                bound.reconfigure(policy)


def _structure(policy: Policy) -> str:
    """What can't change live: kind, name, and whether there is a budget."""
    name = "" if policy.name is None else f" {policy.name!r}"
    return policy.kind + name + (" with a budget" if getattr(policy, "budget", None) is not None else "")
