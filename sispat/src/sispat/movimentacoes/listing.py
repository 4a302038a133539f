"""What the lists of movements may be asked for; newest first (kernel.records)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from sispat.kernel.fields import Ui
from sispat.kernel.inputs import BlankIsNone
from sispat.kernel.paging import Paged
from sispat.kernel.record_sql import Condition
from sispat.kernel.records import Kind, ListaPorSetor
from sispat.movimentacoes.rules import (
    EstadoDaBaixa,
    EstadoDaLocalizacao,
    EstadoDaManutencao,
    EstadoDaRegularizacao,
    EstadoDaTransferencia,
    EstadoDoEmprestimo,
)

__all__ = [
    "ListaDeBaixas", "ListaDeEmprestimos", "ListaDeItens", "ListaDeLocalizacoes", "ListaDeManutencoes", "ListaDeMovimentacoes",
    "ListaDeRegularizacoes", "ListaDeTransferencias",
]  # fmt: skip


class ListaDeMovimentacoes(ListaPorSetor):
    """What the list of any kind of movement may be asked for."""

    bem: Annotated[int | None, Field(ge=1, lt=2**63), BlankIsNone, Ui("Número do bem")] = None

    def conditions(self, kind: Kind, today: dt.date) -> list[Condition]:
        """The filters, and that a movement is about this asset."""
        found = super().conditions(kind, today)
        return found if self.bem is None else [*found, (self.of_asset(), self.bem)]

    def of_asset(self) -> str:
        """The condition that a movement is about the asset whose plate number is its one value."""
        return "m.patrimonio_id = (select id from patrimonio where numero = %s)"

    def is_about_few(self) -> bool | None:
        """An asset has few movements, perhaps old ones."""
        return self.bem is not None


class ListaDeTransferencias(ListaDeMovimentacoes):
    """The same of transfers: `setor` as origin or as destination."""

    estado: Annotated[EstadoDaTransferencia | None, BlankIsNone, Ui("Estado")] = None

    def of_asset(self) -> str:
        """One of its items."""
        return """m.id in (select i.transferencia_id from transferencia_item i
                           where i.patrimonio_id = (select id from patrimonio where numero = %s))"""


class ListaDeEmprestimos(ListaDeMovimentacoes):
    """The same of loans; `atrasado`: open, and due before today."""

    estado: Annotated[EstadoDoEmprestimo | None, BlankIsNone, Ui("Estado")] = None


class ListaDeManutencoes(ListaDeMovimentacoes):
    """The same of maintenance; `atrasada`: open, and due before today."""

    estado: Annotated[EstadoDaManutencao | None, BlankIsNone, Ui("Estado")] = None


class ListaDeBaixas(ListaDeMovimentacoes):
    """The same of write-offs."""

    estado: Annotated[EstadoDaBaixa | None, BlankIsNone, Ui("Estado")] = None


class ListaDeLocalizacoes(ListaDeMovimentacoes):
    """The same of what was missing or found."""

    estado: Annotated[EstadoDaLocalizacao | None, BlankIsNone, Ui("O que se notou")] = None


class ListaDeRegularizacoes(ListaDeMovimentacoes):
    """The same of what came without a plate."""

    estado: Annotated[EstadoDaRegularizacao | None, BlankIsNone, Ui("Estado")] = None


class ListaDeItens(Paged):
    """The items of one transfer, by plate number."""
