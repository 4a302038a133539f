"""What requests about several assets share: their numbers, as typed or as sent."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sispat.kernel.inputs import As
from sispat.movimentacoes.rules import DE_UMA_VEZ

__all__ = ["Numeros"]


def _numbers(value: Any) -> Any:
    """The numbers in a text of a form, however they are separated; a list of a program as it is."""
    return tuple(re.findall(r"[^\s,;]+", value)) if isinstance(value, str) else value


Numeros = Annotated[
    tuple[Annotated[int, Field(ge=1, le=10**18 - 1)], ...],
    BeforeValidator(_numbers),
    Field(max_length=DE_UMA_VEZ),
    As("long"),
]
"""Plate numbers."""
