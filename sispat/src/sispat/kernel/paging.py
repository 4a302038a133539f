"""What every list that is walked by key may be asked for: where to go on, and how much at once."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from sispat.kernel.fields import Ui
from sispat.kernel.inputs import Input, Legible

__all__ = ["Paged"]

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
