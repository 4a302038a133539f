"""What every policy is: an immutable definition, and its state bound to a name.

Promises: a definition can be shared, compared and printed; it does nothing until a `Pipeline` binds it.
`Bound` is the live half: it wraps functions, can be reconfigured while calls run, and shows its state as a
frozen record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar

from esteio.clock import Clock

if TYPE_CHECKING:
    from esteio.policy._budget import BudgetState

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

    Used as a decorator, a definition makes a pipeline of one policy, named after the function and kept
    out of the registry.
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

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Guard one function."""
        from esteio.policy.pipeline import Pipeline  # here: a pipeline is made of policies

        return Pipeline(getattr(fn, "__qualname__", repr(fn)), self, registry=None)(fn)

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
