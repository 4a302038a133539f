"""What a drill breaks, and what it has to know of the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from esteio.drill._ledger import Ledger
from esteio.drill._request import Route

__all__ = ["Fault", "Group", "System"]


class Group(StrEnum):
    """Which total of the year a fault belongs to."""

    SOFTWARE = "software"
    """Programs that die, hang or run out of something."""
    CHANGES = "changes"
    """What people do: releases, settings, reboots, mistakes."""
    SITE = "site"
    """The machine and what feeds it."""


class System(Protocol):
    """The service under the drill."""

    ledger: Ledger

    def routes(self) -> Sequence[Route]:
        """The load of ordinary use."""
        ...

    async def stored(self) -> Mapping[str, int]:
        """How often each key of the ledger is stored now."""
        ...

    async def unwell(self) -> str | None:
        """What the service says of itself now, where that is anything but well; a look takes well under a second."""
        ...

    async def told(self, since: float) -> float | None:
        """When the first alert since then arrived; both of `time.monotonic`."""
        ...


S = TypeVar("S", contravariant=True)


async def _nothing(_: object) -> None:
    pass


async def _no_facts(_: object) -> Mapping[str, float]:
    return {}


def _everything_there(_: object) -> str | None:
    return None


@dataclass(frozen=True)
class Fault(Generic[S]):
    """One way to break the system `S`."""

    name: str
    title: str
    inject: Callable[[S], Awaitable[None]]
    proves: Callable[[S], Awaitable[bool]]
    """Whether the fault has taken effect; asked again and again until it has."""
    heal: Callable[[S], Awaitable[None]] = field(default=_nothing)
    """What a person or the world does about it, `lasts` seconds later; the service has to do the rest."""
    prepare: Callable[[S], Awaitable[None]] = field(default=_nothing)
    """What has to be there or known before, under the load and before the calm."""
    tells: Callable[[S], Awaitable[Mapping[str, float]]] = field(default=_no_facts)
    """Figures of its own, such as what was answered of an overload; asked when the run is over."""
    needs: Callable[[S], str | None] = field(default=_everything_there)
    """Why it cannot be done on this machine, or None."""
    lasts: float = 0.0
    """Seconds between the injection and the heal."""
    until: Callable[[S], Awaitable[bool]] | None = None
    """Healed earlier where this is true: such as a person who heals it once somebody was told."""
    patience: float = 20.0
    """Seconds to watch after the heal, at most; less when it has recovered."""
    proof: float | None = None
    """Seconds within which its effect shows; None: what the drill's `Timing` says."""
    planned: bool = False
    """An operation that has to lose nothing."""
    may_cost: float = 0.0
    """Seconds before the injection whose acknowledged writes may be gone afterwards; counted and shown."""
    group: Group = Group.SOFTWARE
    rounds: int | None = None
    """Of an expensive one: so many rounds at most, and the report says how many there were; None: as many as the others."""
