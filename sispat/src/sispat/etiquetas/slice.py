"""Labels, as the application sees them."""

from __future__ import annotations

from sispat.etiquetas import rules
from sispat.etiquetas.fields import PedidoDeEtiquetas
from sispat.etiquetas.routes import route
from sispat.http.slices import Slice
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import lazy

__all__ = ["SLICE"]

SLICE = Slice(
    name="etiquetas",
    routes=route,
    actions=rules.ACTIONS,
    labels=labels_of(PedidoDeEtiquetas),
    verbs={"imprimir_etiquetas": lazy("Imprimiu etiquetas")},
    reports=["/etiquetas/pdf", "/api/etiquetas"],
)
