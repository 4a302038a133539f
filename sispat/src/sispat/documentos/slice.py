"""Documents, as the application sees them."""

from __future__ import annotations

from sispat.documentos import rules
from sispat.documentos.fields import ListaDeDocumentos, NovoDocumento
from sispat.documentos.routes import route
from sispat.documentos.sweep import sweep
from sispat.http.document_store import document_store
from sispat.http.service import Service
from sispat.http.slices import Slice
from sispat.kernel.fields import labels_of
from sispat.kernel.files import FileStore
from sispat.kernel.i18n import lazy

__all__ = ["SLICE"]


def _store(service: Service) -> FileStore:
    return document_store(service.settings)


SLICE = Slice(
    name="documentos",
    routes=route,
    actions=rules.ACTIONS,
    labels=labels_of(NovoDocumento, ListaDeDocumentos)
    | {
        "arquivo": lazy("Arquivos"),
        "documento": lazy("Documento"),
        "tipo_de_documento": lazy("Tipo de documento"),
        "tamanho": lazy("Tamanho (bytes)"),
        "sha256": lazy("SHA-256"),
    },
    verbs={
        "anexar_documento": lazy("Anexou um documento"),
        "remover_documento": lazy("Removeu um documento"),
        "escolher_foto_principal": lazy("Escolheu a foto principal"),
    },
    notices={
        "anexado": lazy("Arquivos anexados."),
        "removido": lazy("Documento removido."),
        "foto-principal": lazy("Foto principal escolhida."),
    },
    resources=[_store],
    sweep=sweep,
)
