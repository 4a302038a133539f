"""Which records documents can be attached to: an entity says so by one line in its slice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sispat.kernel.context import Context
from sispat.kernel.fields import Entity
from sispat.kernel.permissions import Action

__all__ = ["Attachable"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Attachable:
    """The records of `entity` have documents.

    `see` raises `NotFound` for a record that is not within reach, and `NotPermitted`: whoever sees a record sees its
    documents. `action`: who may attach documents to it, and remove them. `change`, where given, raises when nothing of that
    record changes any more; it is called after `see`.
    """

    entity: Entity
    see: Callable[[Context, UUID], Awaitable[object]]
    action: Action
    change: Callable[[Context, UUID], Awaitable[object]] | None = None
