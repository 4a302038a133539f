"""What movements have: the tables that forms, API, documents, SQL, CSV and history are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import BlankIsNone, Input, Legible, example
from sispat.movimentacoes.inputs import Numeros
from sispat.movimentacoes.rules import EstadoDaTransferencia

__all__ = [
    "TRANSFERENCIA", "AceiteDeTransferencia", "CancelamentoDeTransferencia", "ItemDeTransferencia", "NovaTransferencia",
    "RecusaDeTransferencia",
]  # fmt: skip

# Examples name records of the demo city, whose ids are always the same.
_SETOR, _LOCAL = "f38b2ffc-80a4-4f5a-a1c9-bc701e7ea419", "66eebc57-8f4e-4b4f-a041-f5ee8bae8e66"
_AGENTE = "b7653cce-dfb1-4d4e-a699-d5ef454b78f8"

_NUMBERS = lazy("Os números das plaquetas, separados por vírgula, espaço ou linha; até 2.000.")
_ONLY = lazy("Em branco, todos os que ainda estão pendentes.")


class DadosDaTransferencia(Input):
    """Where assets are to go, and why."""

    destino_id: Annotated[
        UUID, Ui("Setor de destino", "O mesmo setor, quando só muda o responsável.", refers_to="setor")
    ]
    local_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Local de destino", "Em branco, quem aceita escolhe.", refers_to="local"),
    ] = None
    agente_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Novo agente responsável", "Em branco, quem aceita escolhe.", refers_to="agente"),
    ] = None
    motivo: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Motivo", long=True)]


class NovaTransferencia(DadosDaTransferencia):
    """Assets by their numbers, or all that an agente has; one transfer comes of it for each setor they stand in."""

    model_config = example(
        numeros=[1, 2], destino_id=_SETOR, agente_id=_AGENTE, motivo="Mudança da sala de leitura para o prédio novo"
    )

    numeros: Annotated[Numeros, Ui("Números dos bens", _NUMBERS)] = ()
    carga_de: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Ou toda a carga do agente", "Todos os bens que estão com esta pessoa.", refers_to="agente"),
    ] = None

    @model_validator(mode="after")
    def _one_way_to_say_which(self) -> Self:
        if bool(self.numeros) == (self.carga_de is not None):
            raise InvalidData({"numeros": _("Informe os números dos bens ou o agente de toda a carga, e não ambos.")})
        return self


class CancelamentoDeTransferencia(Input):
    """Items that are not to be transferred after all."""

    model_config = example()

    numeros: Annotated[Numeros, Ui("Só estes bens", _ONLY)] = ()


class AceiteDeTransferencia(CancelamentoDeTransferencia):
    """Items that were received: where they stand now, and who answers for them."""

    model_config = example(local_id=_LOCAL, agente_id=_AGENTE)

    local_id: Annotated[UUID | None, BlankIsNone, Ui("Local", "Em branco, o que o pedido diz.", refers_to="local")] = (
        None
    )
    agente_id: Annotated[
        UUID | None, BlankIsNone, Ui("Agente responsável", "Em branco, o que o pedido diz.", refers_to="agente")
    ] = None


class RecusaDeTransferencia(CancelamentoDeTransferencia):
    """Items that are not accepted, and why."""

    model_config = example(observacao="Chegou com a tela quebrada")

    observacao: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Por que recusa", long=True)]


class _TransferenciaDada(BaseModel):
    """What the service gives a transfer."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaTransferencia, Ui("Estado")]
    origem_id: Annotated[UUID, Ui("Setor de origem", refers_to="setor")]
    bens: Annotated[int, Ui("Quantos bens")]
    pedida_por: Annotated[UUID, Ui("Pedida por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Pedida em")]
    decidida_em: Annotated[dt.datetime | None, Ui("Decidida em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


TRANSFERENCIA = Entity(
    name="transferencia",
    label=lazy("Transferência"),
    typed=(DadosDaTransferencia,),
    given=_TransferenciaDada,
    path="/transferencias",
    title="numero",
)


class ItemDeTransferencia(BaseModel):
    """One asset of a transfer; its table is not an entity of its own."""

    patrimonio_id: Annotated[UUID, Ui("Bem", refers_to="patrimonio")]
    estado: Annotated[EstadoDaTransferencia, Ui("Estado")]
    local_id: Annotated[UUID, Ui("Estava em", refers_to="local")]
    agente_id: Annotated[UUID, Ui("Estava com", refers_to="agente")]
    decidida_por: Annotated[UUID | None, Ui("Decidida por", refers_to="usuario")]
    decidida_em: Annotated[dt.datetime | None, Ui("Decidida em")]
    observacao: Annotated[str, Ui("Observação")]
