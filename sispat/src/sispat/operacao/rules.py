"""Who may see how the service is inside, and who may change it. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.permissions import Action, Papel

__all__ = ["ACTIONS", "COMANDAR", "VER"]

VER = Action("operacao.ver", gettext_noop("ver a operação do sistema"), frozenset({Papel.ADMINISTRADOR}))
COMANDAR = Action("operacao.comandar", gettext_noop("comandar a operação do sistema"), frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER, COMANDAR)
