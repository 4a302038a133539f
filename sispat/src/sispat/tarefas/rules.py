"""Who may look at jobs, and cancel them. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.permissions import EVERYBODY, Action, Papel

__all__ = ["ACTIONS", "VER", "VER_TODAS"]

VER = Action("tarefa.ver", gettext_noop("ver as próprias tarefas"), EVERYBODY)
VER_TODAS = Action("tarefa.ver_todas", gettext_noop("ver as tarefas de todos"), frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER, VER_TODAS)
