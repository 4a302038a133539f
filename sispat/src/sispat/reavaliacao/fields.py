"""What a commission's report on values has: the table that form, API, document, SQL, CSV and history are made from."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from sispat.depreciacao.rules import TipoDeReavaliacao
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import As, BlankIsNone, Date, Input, Legible, Money, Percent, Plain, Whole, example
from sispat.kernel.paging import Paged
from sispat.kernel.records import ListaDeRegistros
from sispat.reavaliacao.rules import DE_UMA_VEZ, EstadoDaReavaliacao
from sispat.ui.fields import brazilian_number

__all__ = ["ITEM", "REAVALIACAO", "EstornoDeReavaliacao", "ListaDeItens", "ListaDeReavaliacoes", "NovaReavaliacao"]


class DadosDaReavaliacao(Input):
    """What the commission reports."""

    tipo: Annotated[TipoDeReavaliacao, Ui("O que muda")]
    data: Annotated[Date, Ui("Data do laudo", "De um mês que ainda não foi fechado.", width="curta")]
    laudo: Annotated[str, Field(min_length=1, max_length=60), Legible, Ui("Laudo", "O número e o ano.", width="media")]
    comissao_id: Annotated[UUID, Ui("Comissão", "De avaliação, que valia na data do laudo.", refers_to="comissao")]
    justificativa: Annotated[
        str,
        Field(min_length=10, max_length=2000),
        Legible,
        Ui("Justificativa", "Como se chegou aos valores. De 10 a 2.000 caracteres.", long=True),
    ]


class BemReavaliado(Input):
    """An asset and its new value; a revision has none."""

    numero: Annotated[int, Whole, Field(ge=1, le=10**18 - 1), Ui("Número")]
    valor: Annotated[Money | None, Ui("Novo valor")] = None


def _lines(value: Any) -> Any:
    """`123 1.500,00` a line, as a form sends it; a list of a program as it is."""
    if not isinstance(value, str):
        return value
    parts = (re.split(r"[\s;]+", line.strip(), maxsplit=1) for line in value.splitlines() if line.strip())
    return tuple(
        {"numero": part[0], **({"valor": brazilian_number(part[1])} if len(part) > 1 else {})} for part in parts
    )


class NovaReavaliacao(DadosDaReavaliacao):
    """A report on assets, each with its value, or on all of a class by a share of what they are worth."""

    model_config = example(
        tipo="reavaliacao", data="2026-10-15", laudo="3/2026", comissao_id="41e37779-cf68-9c53-7191-a19cf18b9990",
        justificativa="Pesquisa de preços de mercado, anexada", bens=[{"numero": 1, "valor": "1500.00"}],
        vida_util_meses=60, residual_pct="10.00",
    )  # fmt: skip

    bens: Annotated[
        tuple[BemReavaliado, ...],
        BeforeValidator(_lines),
        Field(max_length=DE_UMA_VEZ),
        As("long"),
        Ui(
            "Bens e novos valores",
            "Um por linha: o número e o novo valor, como 123 1.500,00. Na revisão, só o número.",
        ),
    ] = ()
    classe_id: Annotated[
        UUID | None, BlankIsNone, Ui("Ou todos os bens da classe", "Até 10.000 bens.", refers_to="classe")
    ] = None
    percentual: Annotated[
        Annotated[Decimal, Plain, Field(gt=0, le=10_000, max_digits=8, decimal_places=3), As("decimal")] | None,
        BlankIsNone,
        Ui("Novo valor em % do líquido", "Para a classe inteira: 112,5 aumenta 12,5 %.", width="curta"),
    ] = None
    vida_util_meses: Annotated[
        Annotated[int, Whole, Field(ge=1, le=1200)] | None,
        BlankIsNone,
        Ui("Vida útil que resta (meses)", "Em branco, a que resta hoje a cada bem.", width="curta"),
    ] = None
    residual_pct: Annotated[
        Percent | None,
        BlankIsNone,
        Ui("Valor residual (%)", "Do novo valor. Em branco, fica o de hoje.", width="curta"),
    ] = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        wrong = self._wrong()
        if wrong:
            raise InvalidData(wrong)
        return self

    def _wrong(self) -> dict[str, str]:
        if bool(self.bens) == (self.classe_id is not None):
            return {"bens": _("Informe os números dos bens ou a classe, e não ambos.")}
        if len({each.numero for each in self.bens}) < len(self.bens):
            return {"bens": _("O mesmo bem está mais de uma vez na lista.")}
        if self.tipo is TipoDeReavaliacao.REVISAO:
            if self.vida_util_meses is None and self.residual_pct is None:
                return {"vida_util_meses": _("A revisão muda a vida útil ou o valor residual: informe um deles.")}
            if self.percentual is not None or any(each.valor is not None for each in self.bens):
                return {"bens": _("A revisão não muda o valor. Informe só os números.")}
        elif self.classe_id is not None and self.percentual is None:
            return {"percentual": _("Informe o novo valor em % do líquido.")}
        elif any(each.valor is None for each in self.bens):
            return {"bens": _("Informe o novo valor de cada bem, depois do número.")}
        return {}


class EstornoDeReavaliacao(Input):
    """Why a report is taken back."""

    model_config = example(estorno="O laudo era de outros bens")

    estorno: Annotated[
        str,
        Field(min_length=10, max_length=2000),
        Legible,
        Ui("Por que estornar", "De 10 a 2.000 caracteres.", long=True),
    ]


class _Dada(Shape):
    """What the service gives a report."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaReavaliacao, Ui("Estado")]
    bens: Annotated[int, Ui("Quantos bens")]
    valor_antes: Annotated[Money, Ui("Valor líquido antes")]
    valor_depois: Annotated[Money, Ui("Valor líquido depois")]
    portaria: Annotated[str, Ui("Portaria")]
    membros: Annotated[str, Ui("Membros", long=True)]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    estornada_em: Annotated[dt.datetime | None, Ui("Estornada em")]
    estornada_por: Annotated[UUID | None, Ui("Estornada por", refers_to="usuario")]
    estorno: Annotated[str, Ui("Por que foi estornada", long=True)]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


REAVALIACAO = Entity(
    name="reavaliacao",
    label=lazy("Reavaliação"),
    typed=(DadosDaReavaliacao,),
    given=_Dada,
    path="/reavaliacoes",
    title="numero",
)


class ListaDeReavaliacoes(ListaDeRegistros):
    """What the list of reports may be asked for."""

    estado: Annotated[EstadoDaReavaliacao | None, BlankIsNone, Ui("Estado")] = None


class _Item(Shape):
    """An asset of a report, before and after."""

    patrimonio_id: Annotated[UUID, Ui("Identificador")]
    numero: Annotated[int, As("plate"), Ui("Número")]
    descricao: Annotated[str, Ui("Descrição")]
    valor_antes: Annotated[Money, Ui("Valor líquido antes")]
    valor_depois: Annotated[Money, Ui("Valor líquido depois")]
    vida_util_meses: Annotated[int, Ui("Vida útil que resta (meses)")]
    residual: Annotated[Money, Ui("Valor residual")]


ITEM = Entity(name="reavaliacao_item", label=lazy("Bem reavaliado"), given=_Item, title="numero")


class ListaDeItens(Paged):
    """A page of the assets of a report, by plate number."""
