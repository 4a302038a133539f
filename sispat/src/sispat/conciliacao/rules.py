"""Who may reconcile, and what a reconciliation comes to. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import GESTAO, SEES_ALL, Action

__all__ = ["ACTIONS", "CONCILIAR", "VER", "EstadoDaConciliacao"]

VER = Action("conciliacao.ver", gettext_noop("ver conciliações"), frozenset(SEES_ALL))
CONCILIAR = Action("conciliacao.registrar", gettext_noop("conciliar com a contabilidade"), GESTAO)
ACTIONS = (VER, CONCILIAR)


class EstadoDaConciliacao(Labelled):
    """Whether the two books say the same."""

    CONFERE = "confere", "Confere"
    DIVERGE = "diverge", "Há diferenças"
