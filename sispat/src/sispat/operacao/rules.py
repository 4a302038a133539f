"""Who may see how the service is inside, and who may change it. Pure."""

from __future__ import annotations

from sispat.kernel.permissions import Action, Papel

__all__ = ["ACTIONS", "COMANDAR", "VER"]

VER = Action("operacao.ver", frozenset({Papel.ADMINISTRADOR}))
COMANDAR = Action("operacao.comandar", frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER, COMANDAR)
