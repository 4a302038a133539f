"""Open data, as the application sees it."""

from __future__ import annotations

from sispat.dados_abertos import actions, rules
from sispat.dados_abertos.daily import publish_daily
from sispat.dados_abertos.routes import route
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import Entity
from sispat.kernel.i18n import lazy

__all__ = ["SLICE"]

SLICE = Slice(
    name="dados_abertos",
    routes=route,
    menu=[MenuEntry(65, "/dados-abertos/publicar", lazy("Dados abertos"), rules.PUBLICAR)],
    actions=rules.ACTIONS,
    entities=[Entity("publicacao", lazy("Publicação de dados abertos"))],
    labels={
        "bens": lazy("Bens"),
        "imoveis": lazy("Imóveis"),
        "contas": lazy("Linhas por conta e mês"),
        "publicacao": lazy("Publicação"),
    },
    verbs={"publicar_dados_abertos": lazy("Publicou dados abertos")},
    jobs=[actions.PUBLICAR],
    sweep=publish_daily,
)
