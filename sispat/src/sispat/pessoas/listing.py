"""The lists of people and of API keys, walked by name.

Promises: a cursor is opaque and may be anything: one that is none of ours is `InvalidData`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.paging import Paged
from sispat.pessoas.sql.accounts import Place

__all__ = ["AccountsPage", "opened", "walked"]


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """Accounts or keys by name, and the cursors of the neighbouring pages."""

    rows: list[dict[str, Any]]
    following: str | None = None
    preceding: str | None = None


def opened(cursor: str) -> tuple[Place | None, bool]:
    """Where the page of `cursor` begins, and whether it goes backwards; raises `InvalidData`."""
    if not cursor:
        return None, False
    try:
        way, key, id_ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        key.encode()  # a lone surrogate is no text for the database
        if way not in ("a", "d") or "\0" in key:
            raise ValueError(way)
        return Place(key, UUID(id_)), way == "a"
    except (ValueError, TypeError, AttributeError):
        raise InvalidData({"cursor": _("Use o valor de “next” ou “previous” como veio, ou comece sem ele.")}) from None


def walked(asked: Paged, rows: Sequence[dict[str, Any]]) -> AccountsPage:
    """The page of `rows`, which are one more than it holds where there is another page."""
    backwards, more = opened(asked.cursor)[1], len(rows) > asked.limit
    shown = list(rows[: asked.limit])
    if backwards:
        shown.reverse()
    after, before = (True, more) if backwards else (more, bool(asked.cursor))
    following = _cursor("d", shown[-1]) if shown and after else None
    preceding = _cursor("a", shown[0]) if shown and before else None
    return AccountsPage([{n: v for n, v in row.items() if n != "ordem"} for row in shown], following, preceding)


def _cursor(way: str, row: dict[str, Any]) -> str:
    data = json.dumps([way, row["ordem"], str(row["id"])], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")
