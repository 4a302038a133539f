"""Pipelines by name: for pages, metrics, and changes while the service runs.

Promises: a registry keeps no pipeline alive; policies that carry a name of their own have one state per
registry and name, and a second definition that differs is refused.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from esteio.policy._forks import renew_after_fork
from esteio.policy._policy import Binding, Bound, Policy, Snapshot
from esteio.policy.retry._budget import BudgetState, RetryBudget

if TYPE_CHECKING:
    from esteio.policy.pipeline._pipeline import Pipeline

__all__ = ["REGISTRY", "PipelineSnapshot", "Registry"]

_logger = logging.getLogger("esteio.policy")


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """One pipeline at one moment: its policies, outermost first."""

    name: str
    policies: tuple[Snapshot, ...]


class Registry:
    """Names, states, live changes. Most programs need only the default one, `esteio.policy.registry`."""

    def __init__(self) -> None:
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
        return sorted(self._pipelines.keys())

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; LookupError with the names there are."""
        pipeline = self._pipelines.get(name)
        if pipeline is None:
            msg = f"no pipeline {name!r}; there are: {', '.join(self.names()) or 'none'}"
            raise LookupError(msg)
        return pipeline

    def reconfigure(self, name: str, *policies: Policy) -> None:
        """Give the pipeline `name` other parameters; see `Pipeline.reconfigure`."""
        self.get(name).reconfigure(*policies)

    def snapshot(self) -> tuple[PipelineSnapshot, ...]:
        """All states now, by name."""
        pipelines = sorted(self._pipelines.items())
        return tuple(pipeline.snapshot() for _, pipeline in pipelines)

    # -- for pipelines

    def enter(self, pipeline: Pipeline) -> None:
        """Make a pipeline known; a later one of the same name takes its place."""
        with self._lock:
            before = self._pipelines.get(pipeline.name)
            if before is not None and before.policies != pipeline.policies:
                _logger.warning(
                    "pipeline %r is built a second time, with other policies; pages show the new one", pipeline.name
                )
            self._pipelines[pipeline.name] = pipeline

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
