"""What every policy is: an immutable definition, and its state bound to a name.

Promises: a definition can be shared, compared and printed; it does nothing until a `Pipeline` binds it.
`Bound` is the live half: it wraps functions, can be reconfigured while calls run, and shows its state as a
frozen record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import update_wrapper
from math import inf
from random import random
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from esteio.clock import SYSTEM, Clock
from esteio.policy._budget import BudgetState, RetryBudget
from esteio.policy._functions import is_async
from esteio.policy._scope import time_source

__all__ = ["AnyCall", "Binding", "Bound", "Cost", "Policy", "Snapshot"]

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D", bound="Policy")

AnyCall = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """The worst that one call through a pipeline can cost: calls of the function, and seconds."""

    calls: float = 1
    seconds: float = inf


@dataclass(frozen=True, slots=True)
class Binding:
    """What a definition is given when a pipeline binds it."""

    name: str
    clock: Clock
    random: Callable[[], float]
    budget: BudgetState | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one policy at one moment: `kind` of policy, its `name`, and `values` by documented key."""

    kind: str
    name: str
    values: dict[str, str | float | int | None]


class Policy(ABC):
    """Base of all definitions: frozen dataclasses whose parameters are checked when built.

    Used as a decorator, a definition guards one function by itself: its state is named after the function, belongs to
    it alone and is in no registry.
    """

    __slots__ = ()
    kind: ClassVar[str]
    name: str | None

    @abstractmethod
    def bind(self, binding: Binding) -> Bound[Any]:
        """Make the live half."""

    def worst(self, inner: Cost) -> Cost:
        """The worst case of this policy around something that costs `inner`."""
        return inner

    def check_inside(self, pipeline: str, outer: Sequence[Policy]) -> None:  # noqa: B027 - most do
        """ValueError when it cannot work inside of `outer`, the policies around it in `pipeline`."""

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Guard one function."""
        name = getattr(fn, "__qualname__", repr(fn))
        self.check_inside(name, ())
        definition: RetryBudget | None = getattr(self, "budget", None)
        budget = None if definition is None else BudgetState(definition, time_source(SYSTEM))
        bound = self.bind(Binding(name, SYSTEM, random, budget))
        guarded = bound.wrap_async(fn) if is_async(fn) else bound.wrap(fn)
        return cast("Callable[P, R]", update_wrapper(guarded, fn))

    def describe(self) -> str:
        """The definition in one line, without parameters left at their default."""
        shown = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in fields(self)  # type: ignore[arg-type]
            if getattr(self, f.name) != f.default and f.name != "name"
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


class Bound(ABC, Generic[D]):
    """A definition at work under a name."""

    def __init__(self, definition: D, binding: Binding) -> None:
        self.definition = definition
        self.name = definition.name or binding.name
        self.clock = binding.clock

    @abstractmethod
    def wrap(self, call: AnyCall) -> AnyCall:
        """`call` guarded, for plain functions."""

    @abstractmethod
    def wrap_async(self, call: AnyCall) -> AnyCall:
        """`call` guarded, for coroutine functions."""

    def reconfigure(self, definition: D) -> None:
        """Use other parameters from the next call on; the state is kept."""
        self.definition = definition

    def snapshot(self) -> Snapshot:
        """The state now."""
        return Snapshot(self.definition.kind, self.name, {})
