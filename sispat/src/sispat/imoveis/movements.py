"""What happens to imóveis by an act: changes of use, and write-offs; their tables of fields (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import Field

from sispat.imoveis.rules import Ato, Destinacao, EstadoDaBaixaDeImovel, EstadoDaDestinacao, MotivoDaBaixaDeImovel
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import lazy
from sispat.kernel.inputs import BlankIsNone, CpfOrCnpj, Date, Input, Legible, Money, example
from sispat.kernel.situacoes import Posse

__all__ = ["BAIXA", "DESTINACAO", "EstornoDeBaixaDeImovel", "NovaBaixaDeImovel", "NovaDestinacao"]


class NovaDestinacao(Input):
    """The use that an imóvel gets, and the act that says so."""

    model_config = example(
        para="dominical", ato="lei", numero_ato="5.432/2025", data="2026-03-02", motivo="Sem uso há dez anos"
    )

    para: Annotated[Destinacao, Ui("Passa a ser")]
    ato: Annotated[Ato, Ui("Por que ato", "A desafetação, e o que era de uso comum, só por lei.")]
    numero_ato: Annotated[
        str, Field(min_length=1, max_length=60), Legible, Ui("Número do ato", "O número e o ano.", width="media")
    ]
    data: Annotated[Date, Ui("Data do ato", width="curta")]
    motivo: Annotated[str, Field(min_length=3, max_length=1000), Legible, Ui("Motivo", long=True)]


class _DestinacaoDada(Shape):
    """What the service gives a change of use."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaDestinacao, Ui("O que foi")]
    imovel_id: Annotated[UUID, Ui("Imóvel", refers_to="imovel")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    de: Annotated[Destinacao, Ui("Era")]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


DESTINACAO = Entity(
    name="imovel_destinacao",
    label=lazy("Mudança de destinação"),
    typed=(NovaDestinacao,),
    given=_DestinacaoDada,
    path="/destinacoes",
    title="numero",
)


class NovaBaixaDeImovel(Input):
    """Why an imóvel leaves the books, with what this motive asks for (rules.REQUIRED)."""

    model_config = example(
        motivo="venda", data="2026-03-02", justificativa="Sem uso há dez anos; a venda paga a nova creche", lei="5.432/2025",
        data_lei="2025-11-10", processo="2025/00123", valor_avaliado="350000.00", laudo="L-31",
        destinatario="Construtora Boa Vista Ltda.", destinatario_doc="11222333000181",
    )  # fmt: skip

    motivo: Annotated[MotivoDaBaixaDeImovel, Ui("Motivo")]
    data: Annotated[Date, Ui("Data da baixa", width="curta")]
    justificativa: Annotated[
        str,
        Field(min_length=10, max_length=2000),
        Legible,
        Ui("Justificativa", "Por que interessa à cidade, em pelo menos 10 letras.", long=True),
    ]
    lei: Annotated[str, Field(max_length=60), Legible, Ui("Lei que autoriza", "O número e o ano.", width="media")] = ""
    data_lei: Annotated[Date | None, BlankIsNone, Ui("Data da lei", width="curta")] = None
    processo: Annotated[
        str,
        Field(max_length=60),
        Legible,
        Ui("Processo", "Do leilão, da dispensa ou da desapropriação.", width="media"),
    ] = ""
    comissao_id: Annotated[UUID | None, BlankIsNone, Ui("Comissão que avaliou", refers_to="comissao")] = None
    valor_avaliado: Annotated[Money | None, BlankIsNone, Ui("Valor da avaliação", "Em reais.", width="curta")] = None
    laudo: Annotated[str, Field(max_length=60), Legible, Ui("Número do laudo", width="media")] = ""
    destinatario: Annotated[str, Field(max_length=120), Legible, Ui("Quem recebe o imóvel")] = ""
    destinatario_doc: Annotated[
        CpfOrCnpj | None, BlankIsNone, Ui("CPF ou CNPJ de quem recebe", "O CPF só é mostrado em parte.", width="media")
    ] = None


class EstornoDeBaixaDeImovel(Input):
    """Why a write-off is taken back."""

    model_config = example(estorno="A escritura não foi lavrada")

    estorno: Annotated[str, Field(min_length=10, max_length=2000), Legible, Ui("Por que a baixa é desfeita", long=True)]


class _BaixaDada(Shape):
    """What the service gives a write-off, and what is typed when it is taken back."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaBaixaDeImovel, Ui("Estado")]
    imovel_id: Annotated[UUID, Ui("Imóvel", refers_to="imovel")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    destinacao: Annotated[Destinacao, Ui("Destinação")]
    posse: Annotated[Posse, Ui("Posse")]
    valor_terreno: Annotated[Money, Ui("Valor do terreno")]
    valor_edificacao: Annotated[Money, Ui("Valor da edificação")]
    portaria: Annotated[str, Ui("Portaria da comissão")]
    membros: Annotated[str, Ui("Membros da comissão", long=True)]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    estornada_em: Annotated[dt.datetime | None, Ui("Desfeita em")]
    estornada_por: Annotated[UUID | None, Ui("Desfeita por", refers_to="usuario")]
    estorno: Annotated[str, Ui("Por que foi desfeita", long=True)]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


BAIXA = Entity(
    name="imovel_baixa",
    label=lazy("Baixa de imóvel"),
    typed=(NovaBaixaDeImovel,),
    given=_BaixaDada,
    path="/baixas-de-imoveis",
    title="numero",
)
