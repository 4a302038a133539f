"""The audit, as the application sees it."""

from __future__ import annotations

from sispat.auditoria import rules
from sispat.auditoria.routes import route
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import Entity

__all__ = ["SLICE"]

SLICE = Slice(
    name="auditoria",
    routes=route,
    menu=[MenuEntry(80, "/auditoria", "Auditoria", rules.VER)],
    actions=rules.ACTIONS,
    entities=[Entity("demo", "Demonstração")],
)
