"""What an asset has."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from sispat.kernel.errors import InvalidData
from sispat.kernel.inputs import BlankIsNone, CpfOrCnpj, Date, Input, Legible, Money
from sispat.kernel.states import Conservacao, Posse
from sispat.patrimonios.rules import LOTE_MAXIMO

__all__ = ["COLUMNS", "EdicaoDePatrimonio", "NovoPatrimonio", "TrocaDeCarga"]

# What people type; the rest of the columns belongs to the database.
COLUMNS = (
    "descricao", "classe_id", "valor", "data_aquisicao", "data_disponivel", "conservacao", "posse", "setor_id",
    "local_id", "agente_id", "marca", "modelo", "numero_serie", "fornecedor_doc", "nota_fiscal", "empenho",
    "licitacao", "observacao",
)  # fmt: skip


class EdicaoDePatrimonio(Input):
    """What describes an asset and may be corrected."""

    descricao: Annotated[str, Field(min_length=3, max_length=500), Legible]
    classe_id: UUID
    valor: Money
    data_aquisicao: Date
    data_disponivel: Annotated[Date | None, BlankIsNone] = None
    conservacao: Conservacao = Conservacao.BOM
    posse: Posse = Posse.PROPRIO
    marca: Annotated[str, Field(max_length=80), Legible] = ""
    modelo: Annotated[str, Field(max_length=80), Legible] = ""
    numero_serie: Annotated[str, Field(max_length=80), Legible] = ""
    fornecedor_doc: Annotated[CpfOrCnpj | None, BlankIsNone] = None
    nota_fiscal: Annotated[str, Field(max_length=60), Legible] = ""
    empenho: Annotated[str, Field(max_length=60), Legible] = ""
    licitacao: Annotated[str, Field(max_length=60), Legible] = ""
    observacao: Annotated[str, Field(max_length=2000), Legible] = ""

    @model_validator(mode="after")
    def _available_after_acquisition(self) -> Self:
        if self.data_disponivel is not None and self.data_disponivel < self.data_aquisicao:
            raise InvalidData({"data_disponivel": "A data deve ser igual ou posterior à de aquisição."})
        return self

    def columns(self) -> dict[str, Any]:
        """Values by column; availability is the acquisition's date unless said otherwise."""
        values = {field: getattr(self, field) for field in type(self).model_fields if field in COLUMNS}
        values["data_disponivel"] = self.data_disponivel or self.data_aquisicao
        return values


class TrocaDeCarga(Input):
    """Who answers for an asset, and where it stands."""

    setor_id: UUID
    local_id: UUID
    agente_id: UUID


class NovoPatrimonio(EdicaoDePatrimonio):
    """A new asset: described, placed, in somebody's custody. `quantidade` equal ones at once."""

    setor_id: UUID
    local_id: UUID
    agente_id: UUID
    quantidade: Annotated[int, Field(ge=1, le=LOTE_MAXIMO)] = 1
