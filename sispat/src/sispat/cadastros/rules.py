"""Who may do what with the registers. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action, Papel

__all__ = ["ACTIONS", "CLASSE_EDITAR", "EDITAR", "VER", "editing"]

VER = Action("cadastro.ver", gettext_noop("ver os cadastros"), EVERYBODY)
EDITAR = Action("cadastro.editar", gettext_noop("mudar os cadastros"), GESTAO)
CLASSE_EDITAR = Action("classe.editar", gettext_noop("mudar as classes"), frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER, EDITAR, CLASSE_EDITAR)


def editing(kind: str) -> Action:
    """What changing a register takes."""
    return CLASSE_EDITAR if kind == "classe" else EDITAR
