"""Assets, as the application sees them."""

from __future__ import annotations

from sispat.documentos.rules import ANEXAR
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import labels_of
from sispat.kernel.files import Attachable
from sispat.kernel.i18n import lazy
from sispat.patrimonios import actions, rules, totals
from sispat.patrimonios.custody import CargaEmLote
from sispat.patrimonios.fields import PATRIMONIO, NovoPatrimonio
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.patrimonios.routes import route

__all__ = ["SLICE"]

SLICE = Slice(
    name="patrimonios",
    routes=route,
    menu=[MenuEntry(10, "/patrimonios", lazy("Bens"))],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=[PATRIMONIO],
    labels=labels_of(NovoPatrimonio, ListaDePatrimonios, CargaEmLote) | {"bens": lazy("Bens")},
    verbs={
        "criar": lazy("Cadastrou"),
        "editar": lazy("Editou"),
        "trocar_carga": lazy("Trocou a carga"),
        "exportar_bens": lazy("Exportou bens"),
    },
    notices={
        "criado": lazy("Cadastro gravado."),
        "salvo": lazy("Alterações gravadas."),
        "carga": lazy("Carga trocada."),
    },
    attachables=[
        Attachable(entity=PATRIMONIO, see=actions.obter, action=ANEXAR, change=actions.require_alterable),
    ],
    names=actions.numeros,
    cleanup=totals.cuidar,
    reports=[f"{api}/patrimonios.{form}" for api in ("", "/api") for form in ("csv", "xlsx")],
)
