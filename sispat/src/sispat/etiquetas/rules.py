"""Who may print labels, and how many at once. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.permissions import GESTAO, Action, Papel

__all__ = ["ACTIONS", "DE_UMA_VEZ", "IMPRIMIR"]

DE_UMA_VEZ = 5000  # labels of one document: some ten seconds of drawing

IMPRIMIR = Action("etiqueta.imprimir", gettext_noop("imprimir etiquetas"), GESTAO | {Papel.RESPONSAVEL})
ACTIONS = (IMPRIMIR,)
