"""The kinds of movements, as lists, cards and exports see them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sispat.kernel.fields import Entity, FieldSpec
from sispat.kernel.i18n import lazy
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import Action
from sispat.movimentacoes import rules
from sispat.movimentacoes.listing import (
    ListaDeBaixas,
    ListaDeEmprestimos,
    ListaDeManutencoes,
    ListaDeMovimentacoes,
    ListaDeTransferencias,
)
from sispat.movimentacoes.sql import away, transferencias
from sispat.movimentacoes.sql.listing import Table

__all__ = ["BAIXAS", "EMPRESTIMOS", "KINDS", "MANUTENCOES", "TRANSFERENCIAS", "Kind"]


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
    due: tuple[str, str, str] | None = None
    """The state that is open, the one it is shown as after its day (`previsao`), and the column that is null until it ends."""
    acts: tuple[tuple[str, str, str, Action], ...] = ()
    """What its card offers: the state in which it does, the end of the address, the label, who may."""
    made_at: str = "nova"

    @property
    def entity(self) -> Entity:
        """Its table of fields."""
        return self.table.entity

    @property
    def path(self) -> str:
        """Of its list."""
        return f"/{self.plural}"

    def shown_state(self, stored: Mapping[str, Any], today: dt.date) -> Labelled:
        """The state as people see it: what is open after its day is late."""
        state = self.estados(stored["estado"])
        if self.due and state == self.due[0] and stored["previsao"] and stored["previsao"] < today.isoformat():
            return self.estados(self.due[1])
        return state

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
EMPRESTIMOS = Kind(
    table=away.EMPRESTIMOS,
    plural="emprestimos",
    title=lazy("Empréstimos"),
    help=lazy("Bens que saem por um tempo, dentro ou fora da prefeitura, e voltam."),
    new=lazy("Emprestar"),
    action=rules.EMPRESTAR,
    estados=rules.EstadoDoEmprestimo,
    asked=ListaDeEmprestimos,
    columns=("patrimonio_id", "agente_id", "tomador", "saida", "previsao"),
    due=(rules.EstadoDoEmprestimo.ABERTO, rules.EstadoDoEmprestimo.ATRASADO, "devolvido_em"),
    acts=((rules.EstadoDoEmprestimo.ABERTO, "devolver", lazy("Registrar a devolução"), rules.DEVOLVER),),
    made_at="novo",
)
MANUTENCOES = Kind(
    table=away.MANUTENCOES,
    plural="manutencoes",
    title=lazy("Manutenções"),
    help=lazy("Bens em conserto ou revisão, com o que foi feito, o custo e a garantia."),
    new=lazy("Enviar para manutenção"),
    action=rules.ENVIAR_PARA_MANUTENCAO,
    estados=rules.EstadoDaManutencao,
    asked=ListaDeManutencoes,
    columns=("patrimonio_id", "problema", "fornecedor", "enviado_em", "previsao", "custo"),
    due=(rules.EstadoDaManutencao.ABERTA, rules.EstadoDaManutencao.ATRASADA, "concluido_em"),
    acts=((rules.EstadoDaManutencao.ABERTA, "concluir", lazy("Concluir a manutenção"), rules.CONCLUIR_MANUTENCAO),),
)
BAIXAS = Kind(
    table=away.BAIXAS,
    plural="baixas",
    title=lazy("Baixas"),
    help=lazy("Bens que saíram do patrimônio, por que e com que papéis."),
    new=lazy("Dar baixa"),
    action=rules.BAIXAR,
    estados=rules.EstadoDaBaixa,
    asked=ListaDeBaixas,
    columns=("patrimonio_id", "motivo", "data", "valor", "registrada_por"),
    acts=((rules.EstadoDaBaixa.EFETIVA, "estornar", lazy("Desfazer a baixa"), rules.ESTORNAR_BAIXA),),
)
KINDS = (TRANSFERENCIAS, EMPRESTIMOS, MANUTENCOES, BAIXAS)
