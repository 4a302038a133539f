"""Who may read the audit. Pure."""

from __future__ import annotations

from sispat.kernel.permissions import GESTAO, Action, Papel

__all__ = ["ACTIONS", "VER"]

VER = Action("auditoria.ver", GESTAO | {Papel.CONSULTA})
ACTIONS = (VER,)
