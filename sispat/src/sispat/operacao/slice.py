"""The operation of the service, as the application sees it."""

from __future__ import annotations

from sispat.http.route import Routes
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import Entity
from sispat.kernel.i18n import lazy
from sispat.operacao import rules
from sispat.operacao.circuits import ENTITY
from sispat.operacao.measuring import PAGE

__all__ = ["SLICE"]

# Its routes are plain ones (`operacao.measuring`): they have to answer while the database is away.
SLICE = Slice(
    name="operacao",
    routes=Routes(),
    menu=[MenuEntry(90, PAGE, lazy("Operação"), rules.VER)],
    actions=rules.ACTIONS,
    entities=[Entity(ENTITY, lazy("Circuito"))],
    labels={"circuito": lazy("Circuito")},
    verbs={"isolar_circuito": lazy("Isolou o circuito"), "restabelecer_circuito": lazy("Restabeleceu o circuito")},
)
