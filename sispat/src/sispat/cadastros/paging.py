"""The pages of a register, walked by key.

Promises: what is inserted meanwhile neither repeats nor hides a row; a cursor that was made up, or for another register, is
refused.
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple
from uuid import UUID

from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _

__all__ = ["Place", "RegisterPage", "cursor_at", "place_of"]

_LONGEST = 200  # characters of what a register is sorted by


class Place(NamedTuple):
    """Where a page goes on: after the row with this key."""

    key: str
    id: UUID


class RegisterPage(NamedTuple):
    """Rows, how many there are in all, and the cursor of the next page, if there is one."""

    rows: list[dict[str, Any]]
    total: int
    following: str | None


def cursor_at(kind: str, key: str, id_: UUID) -> str:
    """The opaque cursor of the page after this row."""
    data = json.dumps([kind, key, str(id_)], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def place_of(kind: str, cursor: str) -> Place | None:
    """What `cursor` says; None for the first page. Raises `InvalidData`."""
    if not cursor:
        return None
    try:
        made_for, key, id_ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for == kind and isinstance(key, str) and len(key) <= _LONGEST and _storable(key):
            return Place(key, UUID(id_))
    except (ValueError, TypeError, AttributeError):
        pass
    raise InvalidData({"cursor": _("A chave da página não é desta lista. Comece de novo pela primeira página.")})


def _storable(key: str) -> bool:
    return "\x00" not in key and not any("\ud800" <= letter <= "\udfff" for letter in key)
