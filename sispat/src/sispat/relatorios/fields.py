"""What reports may be asked for, and what their lines have: the tables that pages, files and API are made from.

A column with `in_list` is on the page and on paper too; the others are in files and in the API only.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from sispat.depreciacao.rules import Component, EntryKind, TipoDeBem
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Shape, Ui
from sispat.kernel.i18n import _
from sispat.kernel.inputs import As, BlankIsNone, Legible, Money, Month, Whole, example
from sispat.kernel.paging import Paged
from sispat.kernel.situacoes import Conservacao, FonteDeRecurso, Posse, Situacao
from sispat.relatorios.rules import Garantia, Grupo

__all__ = [
    "Bem", "Conta", "DepreciacaoDoBem", "Lancamento", "Movimento", "Pedido", "PedidoDaCarga", "PedidoDaFicha", "PedidoDeBens",
    "PedidoDeDepreciacao", "PedidoDeMovimento", "PedidoDoAnalitico", "PedidoDoMes", "PedidoDoSintetico", "Resumo",
]  # fmt: skip

_Conta = Annotated[
    str,
    Field(max_length=40, pattern=r"^([0-9]{1,3}(\.[0-9]{1,3}){0,8})?$"),
    Legible,
    Ui(
        "Conta contábil",
        "O começo basta: 1.2.3.1.1 acha todas as contas abaixo dela.",
        width="media",
        pattern_hint="Use grupos de até três algarismos, separados por pontos, como 1.2.3.1.1.",
    ),
]
_Anos = Annotated[int, Whole, Field(ge=0, le=200)]


class Pedido(Paged):
    """What any report may be asked for: a page of it; files have all of it."""

    model_config = example()


class PedidoDeBens(Pedido):
    """Which assets."""

    tipo: Annotated[TipoDeBem | None, BlankIsNone, Ui("Tipo")] = None
    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor", refers_to="setor")] = None
    agente: Annotated[UUID | None, BlankIsNone, Ui("Agente responsável", refers_to="agente")] = None
    classe: Annotated[UUID | None, BlankIsNone, Ui("Classe", refers_to="classe")] = None
    conta: _Conta = ""
    posse: Annotated[Posse | None, BlankIsNone, Ui("Posse")] = None
    fonte: Annotated[FonteDeRecurso | None, BlankIsNone, Ui("Fonte de recursos")] = None
    garantia: Annotated[Garantia | None, BlankIsNone, Ui("Garantia")] = None
    idade_de: Annotated[_Anos | None, BlankIsNone, Ui("Idade mínima (anos)", width="curta")] = None
    idade_ate: Annotated[_Anos | None, BlankIsNone, Ui("Idade máxima (anos)", width="curta")] = None

    @model_validator(mode="after")
    def _ages_in_order(self) -> Self:
        if self.idade_de is not None and self.idade_ate is not None and self.idade_ate < self.idade_de:
            raise InvalidData(
                {
                    "idade_ate": _(
                        "A idade máxima deve ser igual ou maior que a mínima (%(least)s).", least=self.idade_de
                    )
                }
            )
        return self


class PedidoDoAnalitico(PedidoDeBens):
    """The same, with sums by group."""

    por: Annotated[Grupo | None, BlankIsNone, Ui("Agrupar por")] = None


class PedidoDoSintetico(PedidoDeBens):
    """By what they are counted."""

    por: Annotated[Grupo, Ui("Agrupar por")] = Grupo.CONTA


class PedidoDaCarga(Pedido):
    """Whose assets."""

    model_config = example(agente="b7653cce-dfb1-4d4e-a699-d5ef454b78f8")  # of the demo city

    agente: Annotated[UUID, Ui("Agente responsável", refers_to="agente")]


class PedidoDaFicha(Pedido):
    """Which asset."""

    model_config = example(numero=1)

    numero: Annotated[int, Whole, Field(ge=1, lt=10**18), As("integer"), Ui("Número do bem", width="curta")]


class PedidoDoMes(Pedido):
    """Which closed month."""

    competencia: Annotated[
        Month | None,
        BlankIsNone,
        Field(examples=["2026-09-01"]),
        Ui("Mês", "Como 09/2026; em branco, o último fechado.", width="curta"),
    ] = None


class PedidoDeDepreciacao(PedidoDoMes):
    """Of which assets."""

    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor", refers_to="setor")] = None
    conta: _Conta = ""


class PedidoDeMovimento(PedidoDeDepreciacao):
    """Of which kind."""

    especie: Annotated[
        EntryKind | None, BlankIsNone, Ui("Lançamento", "Em branco, todos menos a depreciação do mês.")
    ] = None


class Bem(Shape):
    """An asset, the land or the building of an imóvel, with who answers for it."""

    grupo: Annotated[str, Ui("Grupo")]
    tipo: Annotated[TipoDeBem, Ui("Tipo")]
    numero: Annotated[int, As("plate"), Ui("Número", in_list=True)]
    descricao: Annotated[str, Ui("Descrição", in_list=True)]
    conta: Annotated[str, Ui("Conta contábil", in_list=True)]
    classe: Annotated[str, Ui("Classe")]
    setor: Annotated[str, Ui("Setor", in_list=True)]
    nome_do_setor: Annotated[str, Ui("Nome do setor")]
    local: Annotated[str, Ui("Local")]
    agente: Annotated[str, Ui("Agente responsável", in_list=True)]
    matricula: Annotated[str, Ui("Matrícula")]
    data_aquisicao: Annotated[dt.date, Ui("Aquisição", in_list=True)]
    garantia_ate: Annotated[dt.date | None, Ui("Garantia até")]
    posse: Annotated[Posse, Ui("Posse")]
    fonte: Annotated[FonteDeRecurso, Ui("Fonte de recursos")]
    fonte_numero: Annotated[str, Ui("Nº do convênio, da emenda ou nome do fundo")]
    conservacao: Annotated[Conservacao, Ui("Conservação", in_list=True)]
    situacao: Annotated[Situacao, Ui("Situação")]
    valor: Annotated[Money, Ui("Valor", in_list=True)]
    valor_liquido: Annotated[Money | None, Ui("Valor líquido", in_list=True)]


class Resumo(Shape):
    """A group of assets."""

    grupo: Annotated[str, Ui("Grupo", in_list=True)]
    bens: Annotated[int, Ui("Bens", in_list=True)]
    valor: Annotated[Money, Ui("Valor dos bens próprios", in_list=True)]
    valor_liquido: Annotated[Money | None, Ui("Valor líquido", in_list=True)]
    de_terceiros: Annotated[int, Ui("Bens de terceiros", in_list=True)]
    valor_de_terceiros: Annotated[Money, Ui("Valor dos bens de terceiros", in_list=True)]


class Conta(Shape):
    """An account over a month. All but the last three are net of depreciation and impairment."""

    conta: Annotated[str, Ui("Conta contábil", in_list=True)]
    nome: Annotated[str, Ui("Nome", in_list=True)]
    bens: Annotated[int, Ui("Bens")]
    anterior: Annotated[Money, Ui("Saldo anterior", in_list=True)]
    entradas: Annotated[Money, Ui("Entradas", in_list=True)]
    baixas: Annotated[Money, Ui("Baixas", in_list=True)]
    reavaliacoes: Annotated[Money, Ui("Reavaliação e redução", in_list=True)]
    ajustes: Annotated[Money, Ui("Ajustes e reclassificações", in_list=True)]
    depreciacao: Annotated[Money, Ui("Depreciação do mês", in_list=True)]
    liquido: Annotated[Money, Ui("Saldo final", in_list=True)]
    bruto: Annotated[Money, Ui("Valor bruto", in_list=True)]
    acumulada: Annotated[Money, Ui("Depreciação acumulada", in_list=True)]
    perda: Annotated[Money, Ui("Redução ao valor recuperável acumulada")]


class Movimento(Shape):
    """What moved an asset's value in a month."""

    grupo: Annotated[str, Ui("Conta e lançamento")]
    conta: Annotated[str, Ui("Conta contábil")]
    especie: Annotated[EntryKind, Ui("Lançamento", in_list=True)]
    tipo: Annotated[TipoDeBem, Ui("Tipo")]
    numero: Annotated[int, As("plate"), Ui("Número", in_list=True)]
    descricao: Annotated[str, Ui("Descrição", in_list=True)]
    setor: Annotated[str, Ui("Setor", in_list=True)]
    bruto: Annotated[Money, Ui("Valor bruto", in_list=True)]
    acumulada: Annotated[Money, Ui("Depreciação acumulada", in_list=True)]
    perda: Annotated[Money, Ui("Redução ao valor recuperável acumulada", in_list=True)]
    liquido: Annotated[Money, Ui("Valor líquido", in_list=True)]


class DepreciacaoDoBem(Shape):
    """What a month took of an asset."""

    grupo: Annotated[str, Ui("Conta contábil")]
    tipo: Annotated[TipoDeBem, Ui("Tipo")]
    numero: Annotated[int, As("plate"), Ui("Número", in_list=True)]
    descricao: Annotated[str, Ui("Descrição", in_list=True)]
    setor: Annotated[str, Ui("Setor", in_list=True)]
    vida_util_meses: Annotated[int, Ui("Vida útil (meses)", in_list=True)]
    depreciacao: Annotated[Money, Ui("Depreciação do mês", in_list=True)]
    ajuste: Annotated[Money, Ui("Ajuste de meses fechados", in_list=True)]
    bruto: Annotated[Money, Ui("Valor bruto", in_list=True)]
    acumulada: Annotated[Money, Ui("Depreciação acumulada", in_list=True)]
    perda: Annotated[Money, Ui("Redução ao valor recuperável acumulada", in_list=True)]
    liquido: Annotated[Money, Ui("Valor líquido", in_list=True)]


class Lancamento(Shape):
    """A movement of an asset in a closed month."""

    competencia: Annotated[dt.date, As("month"), Ui("Mês", in_list=True)]
    conta: Annotated[str, Ui("Conta contábil", in_list=True)]
    especie: Annotated[EntryKind, Ui("Lançamento", in_list=True)]
    componente: Annotated[Component, Ui("O que mudou", in_list=True)]
    valor: Annotated[Money, Ui("Valor", in_list=True)]
