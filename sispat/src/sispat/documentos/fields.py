"""What people say of documents, and what is known of one."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from sispat.documentos.rules import TipoDeDocumento
from sispat.kernel.fields import Shape, Ui
from sispat.kernel.inputs import BlankIsNone, Input, Legible

__all__ = ["Documento", "Documentos", "ListaDeDocumentos", "NovoDocumento"]


class NovoDocumento(Input):
    """What comes with files."""

    tipo: Annotated[
        TipoDeDocumento | None, BlankIsNone, Ui("Tipo", "Em branco, fotos são “Foto” e o resto é “Outro”.")
    ] = None
    descricao: Annotated[
        str, Field(max_length=200), Legible, Ui("Descrição do documento", "O que mostra ou prova. Até 200 caracteres.")
    ] = ""


class ListaDeDocumentos(Input):
    """Whose documents."""

    entidade: Annotated[str, Field(max_length=40), Legible, Ui("Entidade")]
    entidade_id: Annotated[UUID, Ui("Registro")]


class Documento(Shape):
    """A document of a record; its content is at `conteudo`, a small picture of a photo at `miniatura`."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    entidade: str
    entidade_id: UUID
    tipo: TipoDeDocumento
    nome: str
    descricao: str
    formato: str
    tamanho: int
    sha256: str
    largura: int | None
    altura: int | None
    principal: bool
    enviado_por: str
    enviado_em: dt.datetime
    conteudo: str
    miniatura: str | None


class Documentos(Shape):
    """All documents of a record, or those just attached."""

    model_config = ConfigDict(extra="forbid")

    items: list[Documento]


def document(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the API shows it."""
    address = f"/api/uploads/{row['id']}"
    shown = {name: row[name] for name in Documento.model_fields if name in row}
    small = f"{address}/miniatura" if row["largura"] else None
    return {**shown, "sha256": row["sha256"].hex(), "conteudo": f"{address}/conteudo", "miniatura": small}
