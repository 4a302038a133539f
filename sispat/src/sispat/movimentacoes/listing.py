"""What a list of movements may be asked for, and the cursors that walk it.

Promises: a cursor says after which row a page begins, by the values that the list is sorted by; one that was made for another
list, or made up, is refused. What is inserted meanwhile neither repeats nor hides a row.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import Field

from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Ui
from sispat.kernel.i18n import _
from sispat.kernel.inputs import BlankIsNone
from sispat.kernel.paging import Paged
from sispat.movimentacoes.rules import EstadoDaBaixa, EstadoDaManutencao, EstadoDaTransferencia, EstadoDoEmprestimo

__all__ = [
    "ListPage", "ListaDeBaixas", "ListaDeEmprestimos", "ListaDeItens", "ListaDeManutencoes", "ListaDeMovimentacoes",
    "ListaDeTransferencias", "cursor_at", "place_of",
]  # fmt: skip


class ListaDeMovimentacoes(Paged):
    """What the list of any kind of movement may be asked for; newest first."""

    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor", refers_to="setor")] = None
    bem: Annotated[int | None, Field(ge=1, lt=2**63), BlankIsNone, Ui("Número do bem")] = None
    estado: Annotated[str | None, Ui("Estado")] = None


class ListaDeTransferencias(ListaDeMovimentacoes):
    """The same of transfers: `setor` as origin or as destination."""

    estado: Annotated[EstadoDaTransferencia | None, BlankIsNone, Ui("Estado")] = None


class ListaDeEmprestimos(ListaDeMovimentacoes):
    """The same of loans; `atrasado`: open, and due before today."""

    estado: Annotated[EstadoDoEmprestimo | None, BlankIsNone, Ui("Estado")] = None


class ListaDeManutencoes(ListaDeMovimentacoes):
    """The same of maintenance; `atrasada`: open, and due before today."""

    estado: Annotated[EstadoDaManutencao | None, BlankIsNone, Ui("Estado")] = None


class ListaDeBaixas(ListaDeMovimentacoes):
    """The same of write-offs."""

    estado: Annotated[EstadoDaBaixa | None, BlankIsNone, Ui("Estado")] = None


class ListaDeItens(Paged):
    """The items of one transfer, by plate number."""


class ListPage(NamedTuple):
    """Documents (JSON) of one page, and the cursor of the next one, if there is one."""

    documents: list[str]
    following: str | None


def cursor_at(what: str, numero: int) -> str:
    """The opaque cursor of the page after the row of this number in the list `what`."""
    return base64.urlsafe_b64encode(json.dumps([what, numero]).encode()).decode().rstrip("=")


def place_of(what: str, cursor: str) -> int | None:
    """The number that `cursor` says; None for the first page. Raises `InvalidData`."""
    if not cursor:
        return None
    try:
        made_for, numero = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for == what and type(numero) is int and 0 <= numero < 2**63:
            return numero
    except (ValueError, TypeError):
        pass
    raise InvalidData({"cursor": _("A chave da página não é desta lista. Comece de novo pela primeira página.")})
