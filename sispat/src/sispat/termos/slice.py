"""Termos, as the application sees them."""

from __future__ import annotations

from sispat.http.service import Service
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import labels_of
from sispat.kernel.files.attachable import Attachable
from sispat.kernel.i18n import lazy
from sispat.kernel.pdf import PdfRenderer
from sispat.termos import actions, rules
from sispat.termos.fields import TERMO, AnulacaoDeTermo, AssinaturaDeTermo, ListaDeTermos, NovoTermo
from sispat.termos.routes import route

__all__ = ["SLICE"]


def _renderer(_: Service) -> PdfRenderer:
    return PdfRenderer()


SLICE = Slice(
    name="termos",
    routes=route,
    menu=[MenuEntry(16, "/termos", lazy("Termos"))],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=[TERMO],
    labels=labels_of(NovoTermo, AssinaturaDeTermo, AnulacaoDeTermo, ListaDeTermos)
    | {"papel": lazy("Como"), "endereco": lazy("Endereço de rede"), "motor": lazy("Feito por")},
    verbs={
        "emitir_termo": lazy("Emitiu o termo"),
        "imprimir_termo": lazy("Fez o PDF do termo"),
        "assinar_termo": lazy("Assinou o termo"),
        "substituir_termo": lazy("Substituiu o termo"),
        "anular_termo": lazy("Anulou o termo"),
        "exportar_termos": lazy("Exportou termos"),
    },
    notices={
        "termo-emitido": lazy("Termo emitido. Abra o PDF para imprimir ou assinar."),
        "termo-assinado": lazy("Assinatura registrada."),
        "termo-anulado": lazy("Termo anulado."),
    },
    reports=[f"{api}/termos.{form}" for api in ("", "/api") for form in ("csv", "xlsx")],
    names=actions.nomes,
    resources=[_renderer],
    attachables=[Attachable(entity=TERMO, see=actions.obter, action=rules.EMITIR)],  # the signed paper, scanned
)
