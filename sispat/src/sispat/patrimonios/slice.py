"""Assets, as the application sees them."""

from __future__ import annotations

from sispat.http.slices import MenuEntry, Slice
from sispat.patrimonios import actions, rules
from sispat.patrimonios.routes import route

__all__ = ["SLICE"]

SLICE = Slice(
    name="patrimonios",
    routes=route,
    menu=[MenuEntry(10, "/patrimonios", "Bens")],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    notices={"criado": "Cadastro gravado.", "salvo": "Alterações gravadas.", "carga": "Carga trocada."},
    reports=["/patrimonios.csv", "/api/patrimonios.csv"],
)
