"""What every list that is walked by key may be asked for: where to go on, and how much at once; and the keys themselves.

Promises: a cursor says after which row a page begins, by the values that the list is sorted by; one that was made for another
list, or made up, is refused. What is inserted meanwhile neither repeats nor hides a row.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Ui
from sispat.kernel.i18n import _
from sispat.kernel.inputs import Input, Legible

__all__ = ["KeyType", "ListPage", "Paged", "Place", "cursor_at", "place_of"]

# What the addresses of pages say; the API understands it for one more release.
_PORTUGUESE = {"pagina": "cursor", "limite": "limit"}


class Paged(Input):
    """`cursor` is the opaque place that an earlier page gave as `next` or `previous`."""

    cursor: Annotated[str, Field(max_length=600), Legible, Ui("Página")] = ""
    limit: Annotated[int, Field(ge=1, le=200), Ui("Quantos por página")] = 50

    @model_validator(mode="before")
    @classmethod
    def _in_english(cls, data: Any) -> Any:
        return {_PORTUGUESE.get(name, name): value for name, value in data.items()} if isinstance(data, dict) else data


class ListPage(NamedTuple):
    """Documents (JSON) of one page, and the cursor of the next one, if there is one."""

    documents: list[str]
    following: str | None = None


class Place(NamedTuple):
    """Where a page goes on: after the row with this key, the value of the sort as text, and this number."""

    key: str
    numero: int


KeyType = Literal["bigint", "text", "numeric"]
# What the database can compare with a column of the type: what is made up must not become an error there.
_KEYS: dict[KeyType, str] = {
    "bigint": r"\d{1,18}",
    "text": r"[^\x00\ud800-\udfff]{0,200}",
    "numeric": r"\d{1,14}(\.\d{1,2})?",
}


def cursor_at(what: str, place: Place) -> str:
    """The opaque cursor of the page after `place` in the list and order `what`."""
    data = json.dumps([what, *place], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def place_of(what: str, cursor: str, type_: KeyType = "bigint") -> Place | None:
    """What `cursor` says; None for the first page. Raises `InvalidData`."""
    if not cursor:
        return None
    try:
        made_for, key, numero = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if (
            made_for == what
            and type(numero) is int
            and 0 <= numero < 2**63
            and re.fullmatch(_KEYS[type_], key, re.ASCII)
        ):
            return Place(key, numero)
    except (ValueError, TypeError):
        pass
    raise InvalidData({"cursor": _("A chave da página não é desta lista. Comece de novo pela primeira página.")})
