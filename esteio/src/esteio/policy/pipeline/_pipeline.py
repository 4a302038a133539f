"""Policies in order, around functions.

Promises: the first policy is the outermost; a combination that can't work is refused when built; the
pipeline and its policies never change their order, only their parameters, by `reconfigure`. Guarded
functions keep their signature and kind. Safe to use from any number of threads, tasks and event loops.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property, update_wrapper
from random import random as system_random
from typing import Any, ParamSpec, TypeVar, cast, overload

from esteio.clock import SYSTEM, Clock
from esteio.policy._outcome import ATTEMPTS_SEEN, Outcome
from esteio.policy._policy import AnyCall, Binding, Bound, Cost, Policy
from esteio.policy._scope import time_source
from esteio.policy.breaker import Circuit
from esteio.policy.pipeline._attempts import Attempting
from esteio.policy.pipeline._compile import guard, guard_async
from esteio.policy.pipeline._explain import explain, worst_case
from esteio.policy.pipeline._functions import call_async, call_plain, is_async
from esteio.policy.pipeline._order import refuse_impossible
from esteio.policy.pipeline._registry import REGISTRY, PipelineSnapshot, Registry
from esteio.policy.retry._budget import BudgetState, RetryBudget

__all__ = ["Pipeline"]

P = ParamSpec("P")
R = TypeVar("R")


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
        binder = registry if registry is not None else Registry()
        binding = Binding(name, clock, random, self._budget(policies, binder))
        self._bounds: tuple[Bound[Any], ...] = tuple(binder.bind(policy, binding) for policy in policies)
        if registry is not None:
            registry.enter(self)

    def _budget(self, policies: tuple[Policy, ...], binder: Registry) -> BudgetState | None:
        for policy in policies:
            definition = getattr(policy, "budget", None)
            if isinstance(definition, RetryBudget):
                return binder.budget(definition, self._now)
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
        return Outcome(value, error, seen[0], self._now() - began)

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
        return Outcome(value, error, seen[0], self._now() - began)

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
