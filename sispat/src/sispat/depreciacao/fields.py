"""What a closed month has, and what a line of it says: the tables that pages, API and CSV are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import Field

from sispat.depreciacao.rules import Component, EntryKind, EstadoDoFechamento, Natureza, Regra, TipoDeBem
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import lazy
from sispat.kernel.inputs import As, BlankIsNone, Input, Legible, Money, Month, Whole, example
from sispat.kernel.paging import Paged
from sispat.kernel.records import ListaDeRegistros

__all__ = [
    "FECHAMENTO",
    "LANCAMENTO",
    "LINHA",
    "SOMA",
    "ListaDeFechamentos",
    "ListaDeLancamentos",
    "ListaDeLinhas",
    "NovoFechamento",
    "ReaberturaDeMes",
    "Simulacao",
]


class DadosDoFechamento(Input):
    """Which month, and by which rule."""

    competencia: Annotated[
        Month,
        Field(examples=["2026-01-01"]),
        Ui("Mês", "Como 01/2026; o mês já terminou.", width="curta", in_list=True),
    ]
    regra: Annotated[
        Regra | None,
        BlankIsNone,
        Ui("Primeiro mês da depreciação", "Vale para o primeiro fechamento e para todos os que vêm depois."),
    ] = None


class NovoFechamento(DadosDoFechamento):
    """A month to be closed; the rule is asked for once, with the first."""

    model_config = example(competencia="2026-10-01", regra="mes")


class ReaberturaDeMes(Input):
    """Why the last month is opened again."""

    model_config = example(motivo="Nota fiscal de outubro que chegou depois do fechamento")

    motivo: Annotated[
        str,
        Field(min_length=10, max_length=1000),
        Legible,
        Ui("Por que reabrir", "De 10 a 1.000 caracteres.", long=True),
    ]


class _Dado(Shape):
    """What the service gives a closing."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDoFechamento, Ui("Estado")]
    inicial: Annotated[bool, Ui("É o primeiro")]
    bens: Annotated[int, Ui("Bens")]
    bruto: Annotated[Money, Ui("Valor bruto")]
    acumulada: Annotated[Money, Ui("Depreciação acumulada")]
    perda: Annotated[Money, Ui("Redução ao valor recuperável acumulada")]
    liquido: Annotated[Money, Ui("Valor líquido")]
    depreciacao: Annotated[Money, Ui("Depreciação do mês")]
    ajuste: Annotated[Money, Ui("Ajuste de meses fechados")]
    fechado_por: Annotated[UUID, Ui("Fechado por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Fechado em")]
    reaberto_em: Annotated[dt.datetime | None, Ui("Reaberto em")]
    reaberto_por: Annotated[UUID | None, Ui("Reaberto por", refers_to="usuario")]
    motivo: Annotated[str, Ui("Por que foi reaberto", long=True)]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


FECHAMENTO = Entity(
    name="fechamento",
    label=lazy("Fechamento"),
    typed=(DadosDoFechamento,),
    given=_Dado,
    path="/fechamentos",
    title="numero",
)


class ListaDeFechamentos(ListaDeRegistros):
    """What the list of closings may be asked for."""

    estado: Annotated[EstadoDoFechamento | None, BlankIsNone, Ui("Estado")] = None


class LinhaDeDepreciacao(Shape):
    """An asset in a closed month. What is not said to be accumulated happened in the month."""

    competencia: Annotated[dt.date, As("month"), Ui("Mês")]
    tipo: Annotated[TipoDeBem, Ui("Tipo")]
    numero: Annotated[int, As("plate"), Ui("Número")]
    descricao: Annotated[str, Ui("Descrição")]
    conta: Annotated[str, Ui("Conta contábil")]
    setor: Annotated[str, Ui("Setor")]
    entrada: Annotated[Money, Ui("Entrada")]
    depreciacao: Annotated[Money, Ui("Depreciação do mês")]
    ajuste_bruto: Annotated[Money, Ui("Ajuste do valor bruto")]
    ajuste_acumulada: Annotated[Money, Ui("Ajuste da depreciação")]
    reavaliacao: Annotated[Money, Ui("Reavaliação e redução")]
    baixa: Annotated[Money, Ui("Baixa")]
    bruto: Annotated[Money, Ui("Valor bruto")]
    acumulada: Annotated[Money, Ui("Depreciação acumulada")]
    perda: Annotated[Money, Ui("Redução ao valor recuperável acumulada")]
    liquido: Annotated[Money, Ui("Valor líquido")]


LINHA = Entity(name="depreciacao", label=lazy("Depreciação"), given=LinhaDeDepreciacao, title="numero")


class ListaDeLinhas(Paged):
    """A page of the assets of a closed month, by plate number; imóveis after them."""


class _Movimento(Shape):
    """What a movement is, of an account or of an asset."""

    especie: Annotated[EntryKind, Ui("Lançamento")]
    componente: Annotated[Component, Ui("Componente")]
    natureza: Annotated[Natureza, Ui("Natureza")]
    valor: Annotated[Money, Ui("Valor")]


class SomaDaConta(_Movimento):
    """What an account moved in a closed month, in one setor."""

    competencia: Annotated[dt.date, As("month"), Ui("Mês")]
    conta: Annotated[str, Ui("Conta contábil")]
    nome: Annotated[str, Ui("Nome da conta")]
    setor: Annotated[str, Ui("Setor")]


class LancamentoDoBem(_Movimento):
    """What an asset moved in a closed month."""

    competencia: Annotated[dt.date, As("month"), Ui("Mês")]
    tipo: Annotated[TipoDeBem, Ui("Tipo")]
    numero: Annotated[int, As("plate"), Ui("Número")]
    descricao: Annotated[str, Ui("Descrição")]
    setor: Annotated[str, Ui("Setor")]
    conta: Annotated[str, Ui("Conta contábil")]


SOMA = Entity(name="lancamento_conta", label=lazy("Lançamento da conta"), given=SomaDaConta, title="conta")
LANCAMENTO = Entity(name="lancamento", label=lazy("Lançamento"), given=LancamentoDoBem, title="numero")


class ListaDeLancamentos(Paged):
    """Which movements of a closed month, by plate number."""

    conta: Annotated[str, Field(max_length=40), Legible, Ui("Conta contábil")] = ""
    especie: Annotated[EntryKind | None, BlankIsNone, Ui("Lançamento")] = None
    componente: Annotated[Component | None, BlankIsNone, Ui("Componente")] = None


class Simulacao(Input):
    """How far ahead, and of what."""

    anos: Annotated[int, Whole, Field(ge=1, le=20), Ui("Anos", "De 1 a 20.", width="curta")] = 5
    classe: Annotated[UUID | None, BlankIsNone, Ui("Classe", refers_to="classe")] = None
    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor", refers_to="setor")] = None
