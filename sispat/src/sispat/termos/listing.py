"""The cursors that walk the list of termos."""

from __future__ import annotations

import base64
import json
from typing import NamedTuple

from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _

__all__ = ["ListPage", "cursor_at", "place_of"]


class ListPage(NamedTuple):
    """Documents (JSON) of one page, and the cursor of the next one, if there is one."""

    documents: list[str]
    following: str | None


def cursor_at(ordem: int) -> str:
    """The opaque cursor of the page after the termo at this place."""
    return base64.urlsafe_b64encode(json.dumps(["termo", ordem]).encode()).decode().rstrip("=")


def place_of(cursor: str) -> int | None:
    """The place that `cursor` says; None for the first page. Raises `InvalidData`."""
    if not cursor:
        return None
    try:
        made_for, ordem = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for == "termo" and type(ordem) is int and 0 <= ordem < 2**63:
            return ordem
    except (ValueError, TypeError):
        pass
    raise InvalidData({"cursor": _("A chave da página não é desta lista. Comece de novo pela primeira página.")})
