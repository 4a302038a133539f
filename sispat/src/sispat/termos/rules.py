"""Who may do what with termos, their kinds and what becomes of them. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action, Papel

__all__ = ["ACTIONS", "ANULAR", "ASSINAR", "EMITIR", "MAIS_BENS", "VER", "EstadoDoTermo", "TipoDeTermo"]

MAIS_BENS = (
    10_000  # of one termo: some seconds of drawing, 1.3 GB of address space, 300 pages (kernel.pdf has the ceilings)
)

VER = Action("termo.ver", gettext_noop("ver termos"), EVERYBODY)
EMITIR = Action("termo.emitir", gettext_noop("emitir termos"), GESTAO | {Papel.RESPONSAVEL})
# Whoever answers for assets has an account of any role; an integration is nobody who could sign.
ASSINAR = Action("termo.assinar", gettext_noop("assinar termos"), EVERYBODY - {Papel.AUDITOR}, in_person=True)
ANULAR = Action("termo.anular", gettext_noop("anular termos"), GESTAO)
ACTIONS = (VER, EMITIR, ASSINAR, ANULAR)


class TipoDeTermo(Labelled):
    """What is declared."""

    RESPONSABILIDADE = "responsabilidade", "Termo de responsabilidade"
    TRANSFERENCIA = "transferencia", "Termo de transferência"
    EMPRESTIMO = "emprestimo", "Termo de empréstimo"
    BAIXA = "baixa", "Termo de baixa"


class EstadoDoTermo(Labelled):
    """Whether it counts; its paper stays what it is."""

    VIGENTE = "vigente", "Vigente"
    SUBSTITUIDO = "substituido", "Substituído"
    ANULADO = "anulado", "Anulado"
