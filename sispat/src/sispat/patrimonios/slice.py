"""Assets, as the application sees them."""

from __future__ import annotations

from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import labels_of
from sispat.patrimonios import actions, rules, totals
from sispat.patrimonios.custody import CargaEmLote
from sispat.patrimonios.fields import PATRIMONIO, NovoPatrimonio
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.patrimonios.routes import route

__all__ = ["SLICE"]

SLICE = Slice(
    name="patrimonios",
    routes=route,
    menu=[MenuEntry(10, "/patrimonios", "Bens")],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=[PATRIMONIO],
    labels=labels_of(NovoPatrimonio, ListaDePatrimonios, CargaEmLote) | {"bens": "Bens"},
    verbs={
        "criar": "Cadastrou",
        "editar": "Editou",
        "trocar_carga": "Trocou a carga",
        "exportar_bens": "Exportou bens",
    },
    notices={"criado": "Cadastro gravado.", "salvo": "Alterações gravadas.", "carga": "Carga trocada."},
    names=actions.numeros,
    cleanup=totals.cuidar,
    reports=["/patrimonios.csv", "/api/patrimonios.csv"],
)
