"""Who may publish open data. Pure; whoever asks may read what is published."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.permissions import GESTAO, Action

__all__ = ["ACTIONS", "PUBLICAR"]

PUBLICAR = Action("dados_abertos.publicar", gettext_noop("publicar dados abertos"), GESTAO)
ACTIONS = (PUBLICAR,)
