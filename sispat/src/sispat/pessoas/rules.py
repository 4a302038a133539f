"""Who may do what with people. Pure."""

from __future__ import annotations

from sispat.kernel.permissions import Action, Papel

__all__ = ["ACTIONS", "BLOQUEIO_LIBERAR", "BLOQUEIO_VER"]

BLOQUEIO_VER = Action("bloqueio.ver", frozenset({Papel.ADMINISTRADOR}))
BLOQUEIO_LIBERAR = Action("bloqueio.liberar", frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (BLOQUEIO_VER, BLOQUEIO_LIBERAR)
