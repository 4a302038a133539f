"""The kinds of movements, as lists, cards and exports see them."""

from __future__ import annotations

from dataclasses import dataclass

from sispat.kernel.fields import Entity, FieldSpec
from sispat.kernel.i18n import lazy
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import Action
from sispat.movimentacoes import rules
from sispat.movimentacoes.listing import ListaDeMovimentacoes, ListaDeTransferencias
from sispat.movimentacoes.sql import transferencias
from sispat.movimentacoes.sql.listing import Table

__all__ = ["KINDS", "TRANSFERENCIAS", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `plural` is its address, `columns` what its list shows beside number and state.

    `new` is what its form is called, where a list offers it, and `action` who may fill that in.
    """

    table: Table
    plural: str
    title: str
    help: str
    new: str
    action: Action
    estados: type[Labelled]
    asked: type[ListaDeMovimentacoes]
    columns: tuple[str, ...]

    @property
    def entity(self) -> Entity:
        """Its table of fields."""
        return self.table.entity

    @property
    def path(self) -> str:
        """Of its list."""
        return f"/{self.plural}"

    @property
    def listed(self) -> list[FieldSpec]:
        """What its list shows beside number and state."""
        return [self.entity.fields[column] for column in self.columns]


TRANSFERENCIAS = Kind(
    table=transferencias.TABLE,
    plural="transferencias",
    title=lazy("Transferências"),
    help=lazy("Bens que vão de um setor ou responsável a outro. Quem recebe aceita ou recusa."),
    new=lazy("Pedir transferência"),
    action=rules.PEDIR_TRANSFERENCIA,
    estados=rules.EstadoDaTransferencia,
    asked=ListaDeTransferencias,
    columns=("origem_id", "destino_id", "bens", "pedida_por", "criado_em"),
)
KINDS = (TRANSFERENCIAS,)
