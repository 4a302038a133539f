"""The audit, as the application sees it."""

from __future__ import annotations

from sispat.auditoria import rules
from sispat.auditoria.routes import ListaDeEventos, route
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import Entity, labels_of

__all__ = ["SLICE"]

SLICE = Slice(
    name="auditoria",
    routes=route,
    menu=[MenuEntry(80, "/auditoria", "Auditoria", rules.VER)],
    actions=rules.ACTIONS,
    labels=labels_of(ListaDeEventos),
    entities=[Entity("demo", "Demonstração")],
)
