"""Shapes that several slices send, for the API's documentation."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from pydantic import Field, create_model

from sispat.kernel.fields import STRICT, Shape
from sispat.kernel.i18n import gettext_noop

__all__ = ["Evento", "made_of", "pages_of"]


class Evento(Shape):
    """One record of the audit."""

    id: int
    em: dt.datetime
    ator: str
    chave: str | None = Field(description=gettext_noop("O nome da chave da API com que uma integração o fez."))
    entidade: str
    entidade_id: UUID
    acao: str
    antes: dict[str, Any] | None
    depois: dict[str, Any] | None
    requisicao: str


def pages_of(name: str, document: Any) -> Any:
    """One page of a list; `next` goes into `?cursor=`."""
    return create_model(
        name, __config__=STRICT, items=(list[document], ...), next=(str | None, ...),
        previous=(str | None, ...),
    )  # fmt: skip


def made_of(name: str, document: Any) -> Any:
    """What was made at once."""
    return create_model(name, __config__=STRICT, items=(list[document], ...))
