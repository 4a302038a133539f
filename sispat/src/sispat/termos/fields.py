"""What termos have, and what may be asked of them (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import Field

from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import lazy
from sispat.kernel.inputs import BlankIsNone, Input, Legible, Money, example
from sispat.kernel.paging import Paged
from sispat.termos.rules import EstadoDoTermo, TipoDeTermo

__all__ = ["TERMO", "AnulacaoDeTermo", "AssinaturaDeTermo", "ListaDeTermos", "NovoTermo"]

_AGENTE = "b7653cce-dfb1-4d4e-a699-d5ef454b78f8"  # of the demo city
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class NovoTermo(Input):
    """What a termo is made of: an agente's whole carga, or a movement."""

    model_config = example(tipo="responsabilidade", assunto_id=_AGENTE)

    tipo: Annotated[TipoDeTermo, Ui("Tipo")]
    assunto_id: Annotated[
        UUID,
        Ui(
            "Agente ou movimentação",
            "De responsabilidade, ou da carga de quem saiu, o agente; senão a transferência, o empréstimo ou a baixa.",
        ),
    ]
    substitui: Annotated[
        bool, Ui("Substituir o termo vigente", "O de antes deixa de valer, e diz qual o substitui.")
    ] = False


class AssinaturaDeTermo(Input):
    """The signature by click: what exactly was read and is signed."""

    model_config = example(sha256=_SHA256)

    sha256: Annotated[
        str,
        Field(pattern=r"^[0-9a-fA-F]{64}$"),
        Legible,
        Ui(
            "SHA-256 do PDF", "Do PDF que foi lido.", pattern_hint=lazy("São 64 algarismos de 0 a 9 e letras de a a f.")
        ),
    ]


class AnulacaoDeTermo(Input):
    """Why a termo does not count."""

    model_config = example(anulacao="Emitido com a pessoa errada")

    anulacao: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Por que é anulado", long=True)]


class ListaDeTermos(Paged):
    """What the list may be asked for; newest first."""

    tipo: Annotated[TipoDeTermo | None, BlankIsNone, Ui("Tipo")] = None
    estado: Annotated[EstadoDoTermo | None, BlankIsNone, Ui("Estado")] = None
    agente: Annotated[UUID | None, BlankIsNone, Ui("Agente", refers_to="agente")] = None
    bem: Annotated[int | None, Field(ge=1, lt=2**63), BlankIsNone, Ui("Número do bem")] = None
    movimento: Annotated[UUID | None, BlankIsNone, Ui("Movimentação")] = None


class _Termo(Shape):
    """All of it is the service's."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    tipo: Annotated[TipoDeTermo, Ui("Tipo")]
    exercicio: Annotated[int, Ui("Exercício")]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDoTermo, Ui("Estado")]
    codigo: Annotated[str, Ui("Código de conferência")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    agente_id: Annotated[UUID | None, Ui("Agente responsável", refers_to="agente")]
    assunto_id: Annotated[UUID, Ui("Agente ou movimentação")]
    bens: Annotated[int, Ui("Quantos bens")]
    valor: Annotated[Money, Ui("Valor total")]
    emitido_por: Annotated[UUID, Ui("Emitido por", refers_to="usuario")]
    emitido_em: Annotated[dt.datetime, Ui("Emitido em")]
    anulado_em: Annotated[dt.datetime | None, Ui("Anulado em")]
    anulacao: Annotated[str, Ui("Por que foi anulado", long=True)]
    sha256: Annotated[str | None, Ui("SHA-256 do PDF")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


TERMO = Entity(name="termo", label=lazy("Termo"), given=_Termo, path="/termos", title="numero")
