"""Reports, as the application sees them."""

from __future__ import annotations

from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import lazy
from sispat.relatorios import files, rules
from sispat.relatorios.routes import route
from sispat.relatorios.table import RELATORIOS

__all__ = ["SLICE"]

SLICE = Slice(
    name="relatorios",
    routes=route,
    menu=[MenuEntry(29, "/relatorios", lazy("Relatórios"))],
    actions=rules.ACTIONS,
    labels=labels_of(*(each.asked for each in RELATORIOS))
    | {"relatorio": lazy("Relatório"), "formato": lazy("Formato")},
    verbs={"exportar_relatorio": lazy("Exportou um relatório")},
    reports=[
        f"{path}.{end}" for each in RELATORIOS for path in (each.path, each.api) for end in ("csv", "xlsx", "pdf")
    ],
    jobs=[files.FAZER_PDF],
    cleanup=files.faxina,
)
