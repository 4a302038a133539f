"""Jobs, as the application sees them."""

from __future__ import annotations

from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import Entity
from sispat.kernel.i18n import lazy
from sispat.kernel.jobs import queue
from sispat.tarefas import rules
from sispat.tarefas.routes import route

__all__ = ["SLICE"]

SLICE = Slice(
    name="tarefas",
    routes=route,
    menu=[MenuEntry(70, "/tarefas", lazy("Tarefas"), rules.VER)],
    actions=rules.ACTIONS,
    entities=[Entity("tarefa", lazy("Tarefa"), path="/tarefas")],
    verbs={"cancelar_tarefa": lazy("Cancelou a tarefa")},
    cleanup=queue.remove_old,
)
