"""The operation of the service, as the application sees it."""

from __future__ import annotations

from sispat.http.route import Routes
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import Entity
from sispat.kernel.i18n import lazy
from sispat.operacao import rules
from sispat.operacao.measuring import PAGE
from sispat.operacao.orders import ALERT, CIRCUIT

__all__ = ["SLICE"]

# Its routes are plain ones (`operacao.measuring`): they have to answer while the database is away.
SLICE = Slice(
    name="operacao",
    routes=Routes(),
    menu=[MenuEntry(90, PAGE, lazy("Operação"), rules.VER)],
    actions=rules.ACTIONS,
    entities=[Entity(CIRCUIT, lazy("Circuito")), Entity(ALERT, lazy("Alerta"))],
    labels={"circuito": lazy("Circuito"), "alerta": lazy("Alerta"), "minutos": lazy("Minutos")},
    verbs={
        "isolar_circuito": lazy("Isolou o circuito"),
        "restabelecer_circuito": lazy("Restabeleceu o circuito"),
        "assumir_alerta": lazy("Assumiu o alerta"),
        "silenciar_alerta": lazy("Silenciou o alerta"),
        "encerrar_silencio": lazy("Encerrou o silêncio do alerta"),
    },
)
