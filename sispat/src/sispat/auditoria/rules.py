"""Who may read the audit. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.permissions import SEES_ALL, Action

__all__ = ["ACTIONS", "VER"]

VER = Action("auditoria.ver", gettext_noop("ver a auditoria"), SEES_ALL)
ACTIONS = (VER,)
