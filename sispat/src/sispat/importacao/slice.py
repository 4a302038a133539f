"""Imports, as the application sees them."""

from __future__ import annotations

from sispat.http.slices import MenuEntry, Slice
from sispat.importacao import actions, rules, sql
from sispat.importacao.columns import LABELS
from sispat.importacao.fields import Conferencia
from sispat.importacao.routes import route
from sispat.importacao.work import CONFERIR, CONSTRAINTS, DESFAZER, GRAVAR
from sispat.kernel.fields import Entity, labels_of
from sispat.kernel.i18n import lazy

__all__ = ["SLICE"]

SLICE = Slice(
    name="importacao",
    routes=route,
    menu=[MenuEntry(60, "/importacoes", lazy("Importar"), rules.IMPORTAR)],
    actions=rules.ACTIONS,
    constraints=CONSTRAINTS,
    entities=[Entity("importacao", lazy("Importação"), path="/importacoes")],
    labels={
        **LABELS,
        **labels_of(Conferencia),
        "arquivo": lazy("Planilha"),
        "linhas": lazy("Linhas"),
        "tamanho": lazy("Tamanho"),
    },
    verbs={
        "importar": lazy("Importou"),
        "desfazer_importacao": lazy("Desfez a importação"),
        "receber_importacao": lazy("Enviou a planilha"),
        "gravar_importacao": lazy("Mandou gravar a importação"),
        "pedir_desfazer_importacao": lazy("Mandou desfazer a importação"),
    },
    names=actions.nomes,
    jobs=[CONFERIR, GRAVAR, DESFAZER],
    cleanup=sql.delete_unused,
)
