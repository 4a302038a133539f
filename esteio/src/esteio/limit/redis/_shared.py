"""What the clients of one event loop have in common: settings, state, snapshots, their background loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import random
from typing import Any

from esteio.limit._decision import Decision
from esteio.limit.redis._local import Epoch, Local, Memory
from esteio.limit.redis._script import Mode, Unit

__all__ = ["NodeSnapshot", "Shared", "Tuning", "decide_locally", "run_forever"]

_logger = logging.getLogger("esteio.limit")


@dataclass(frozen=True, slots=True)
class Tuning:
    """The numbers of a `RedisStore`; see there."""

    budget: float
    connect_timeout: float
    batch: int
    waiting: int
    instances: int
    ttl: float
    retry_after: float
    retry_max: float

    @property
    def wait(self) -> float:
        """Seconds of the budget that Redis may take."""
        return self.budget * 0.8


@dataclass(frozen=True, slots=True)
class Shared:
    """What all clients of one event loop share."""

    name: str
    prefix: str
    me: str
    now_us: Callable[[], int]
    memory: Memory
    local: Local
    declared: bool


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """One server at one moment.

    `open`: it decides; else `reason` (see `REASONS`) since `away` seconds. `instances` share the limits. `waiting`
    units wait to be sent; since the start `units` were sent in `batches`, `local` ones decided here, and there were
    `outages`. `circuit` is the state of its circuit breaker.
    """

    label: str
    open: bool
    reason: str
    away: float
    instances: int
    waiting: int
    batches: int
    units: int
    local: int
    outages: int
    circuit: str


def decide_locally(unit: Unit, shared: Shared, reason: str, instances: int, epoch: Epoch) -> list[Decision]:
    """What `on_failure` says, or nothing for what only changes what was used."""
    hits: Any = unit.hits
    now = shared.now_us()
    if unit.mode == Mode.REFUND:
        shared.local.refund(hits[0], unit.names[0], instances, now, epoch)
    elif unit.mode == Mode.RESET:
        shared.local.reset(hits[0], unit.names[0], instances, now, epoch)
    else:
        return shared.local.decide(hits, unit.names, unit.mode == Mode.DECIDE, reason, instances, now, epoch)
    return []


async def run_forever(what: str, step: Callable[[], Awaitable[None]], pause: float) -> None:
    """Repeat `step` until cancelled; one that raises is logged and repeated after about `pause` seconds."""
    while True:
        try:
            await step()
        except Exception:
            _logger.exception("%s failed; it is tried again", what)
            await asyncio.sleep(pause * (0.5 + random()))  # noqa: S311 - jitter
