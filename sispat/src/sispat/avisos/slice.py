"""Mails to people, as the application sees them."""

from __future__ import annotations

from sispat.avisos.fields import EscolhaDeAvisos
from sispat.avisos.routes import route
from sispat.avisos.rules import ACTIONS
from sispat.http.slices import Slice
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import lazy

__all__ = ["SLICE"]

SLICE = Slice(
    name="avisos",
    routes=route,
    actions=ACTIONS,
    labels=labels_of(EscolhaDeAvisos),
    verbs={"escolher_avisos": lazy("Escolheu os avisos por e-mail")},
    notices={"avisos_escolhidos": lazy("Escolha gravada.")},
)
