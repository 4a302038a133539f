"""What limits tell: frozen records, sent through `esteio.events`. `name` is the limit's name or its definition.

Keys are never in them: `key_hash` says only whether two records speak of the same key.
"""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["LimitDenied", "LimitsDegraded", "LimitsRestored"]


@dataclass(frozen=True, slots=True)
class LimitDenied(Event):
    """A hit was denied, or in `shadow` mode would have been; `retry_after` as in `Decision`."""

    key_hash: str
    cost: int
    retry_after: float | None
    degraded: bool
    shadow: bool


@dataclass(frozen=True, slots=True)
class LimitsDegraded(Event):
    """The store named `name` can't be asked, for `reason`; each limit's `on_failure` decides from now on."""

    reason: str


@dataclass(frozen=True, slots=True)
class LimitsRestored(Event):
    """The store named `name` is asked again after `away` seconds; `carried` hits taken meanwhile were charged to it."""

    away: float
    carried: int
