"""Who may do what with movements, and the states these have. Pure."""

from __future__ import annotations

from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action, Papel

__all__ = ["ACTIONS", "DECIDIR_TRANSFERENCIA", "DE_UMA_VEZ", "PEDIR_TRANSFERENCIA", "VER", "EstadoDaTransferencia"]

DE_UMA_VEZ = 2000  # assets that one request moves: some seconds of locks

VER = Action("movimentacao.ver", EVERYBODY)
PEDIR_TRANSFERENCIA = Action("transferencia.pedir", GESTAO | {Papel.RESPONSAVEL})
DECIDIR_TRANSFERENCIA = Action("transferencia.decidir", GESTAO | {Papel.RESPONSAVEL})
ACTIONS = (VER, PEDIR_TRANSFERENCIA, DECIDIR_TRANSFERENCIA)


class EstadoDaTransferencia(Labelled):
    """What became of a transfer, or of one of its items.

    A transfer is pending as long as one of its items is. Decided in parts, it is what the best of them is: `aceita` where
    one item was accepted, `recusada` where none was and one was refused.
    """

    PENDENTE = "pendente", "Pendente"
    ACEITA = "aceita", "Aceita"
    RECUSADA = "recusada", "Recusada"
    CANCELADA = "cancelada", "Cancelada"
