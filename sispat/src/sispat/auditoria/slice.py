"""The audit, as the application sees it."""

from __future__ import annotations

from sispat.auditoria import rules, seals
from sispat.auditoria.routes import ListaDeEventos, route
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import Entity, labels_of
from sispat.kernel.i18n import lazy

__all__ = ["SLICE"]

SLICE = Slice(
    name="auditoria",
    routes=route,
    menu=[MenuEntry(80, "/auditoria", lazy("Auditoria"), rules.VER)],
    actions=rules.ACTIONS,
    labels=labels_of(ListaDeEventos),
    cleanup=seals.seal,
    entities=[Entity("demo", lazy("Demonstração"))],
)
