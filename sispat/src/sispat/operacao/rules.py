"""Who may see how the service is inside. Pure."""

from __future__ import annotations

from sispat.kernel.permissions import Action, Papel

__all__ = ["ACTIONS", "VER"]

VER = Action("operacao.ver", frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER,)
