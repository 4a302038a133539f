"""What a reconciliation has, and each of its accounts: the tables that pages, API and files are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import Field

from sispat.conciliacao.rules import EstadoDaConciliacao
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import lazy
from sispat.kernel.inputs import As, BlankIsNone, Input, Legible, Money, Month, example
from sispat.kernel.records import ListaDeRegistros

__all__ = ["CONCILIACAO", "CONTA", "ListaDeConciliacoes", "NovaConciliacao", "SaldoContabil"]

MAIS_CONTAS = 2000
"""Accounts of one reconciliation."""


class SaldoContabil(Input):
    """What accounting has in an account at the end of the month."""

    model_config = example(conta="1.2.3.1.1.03.01", bruto="15000.00", acumulada="1250.00")

    conta: Annotated[
        str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){0,8}$"), Legible, Ui("Conta contábil", "Como 1.2.3.1.1.03.01.")
    ]
    bruto: Annotated[Money, Ui("Valor bruto na contabilidade", width="curta")]
    acumulada: Annotated[Money, Ui("Depreciação e redução na contabilidade", width="curta")]
    justificativa: Annotated[
        str, Field(max_length=500), Legible, Ui("Por que difere", "Até 500 caracteres.", width="media")
    ] = ""


class DadosDaConciliacao(Input):
    """Of which closed month."""

    competencia: Annotated[Month, Field(examples=["2026-09-01"]), Ui("Mês", width="curta", in_list=True)]
    observacao: Annotated[
        str, Field(max_length=2000), Legible, Ui("Observação", "Até 2.000 caracteres.", long=True)
    ] = ""


class NovaConciliacao(DadosDaConciliacao):
    """The balances of every account of the month."""

    model_config = example(
        competencia="2026-09-01",
        contas=[{"conta": "1.2.3.1.1.03.01", "bruto": "15000.00", "acumulada": "1250.00", "justificativa": ""}],
    )

    contas: Annotated[
        tuple[SaldoContabil, ...],
        Field(min_length=1, max_length=MAIS_CONTAS),
        As("text"),
        Ui("Contas", "Todas as contas do mês fechado; e as que só a contabilidade tem."),
    ]


class _Dada(Shape):
    """What the service gives a reconciliation."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaConciliacao, Ui("Estado")]
    fechamento: Annotated[int, Ui("Fechamento")]
    contas: Annotated[int, Ui("Contas")]
    diferencas: Annotated[int, Ui("Contas com diferença")]
    diferenca_bruto: Annotated[Money, Ui("Diferença do valor bruto")]
    diferenca_acumulada: Annotated[Money, Ui("Diferença da depreciação e redução")]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


CONCILIACAO = Entity(
    name="conciliacao",
    label=lazy("Conciliação"),
    typed=(DadosDaConciliacao,),
    given=_Dada,
    path="/conciliacoes",
    title="numero",
)


class ListaDeConciliacoes(ListaDeRegistros):
    """What the list of reconciliations may be asked for."""

    estado: Annotated[EstadoDaConciliacao | None, BlankIsNone, Ui("Estado")] = None


class Conta(Shape):
    """An account in both books. A difference is what accounting has more."""

    conta: Annotated[str, Ui("Conta contábil", in_list=True)]
    nome: Annotated[str, Ui("Nome", in_list=True)]
    bruto: Annotated[Money, Ui("Valor bruto", in_list=True)]
    contabil_bruto: Annotated[Money, Ui("Na contabilidade", in_list=True)]
    diferenca_bruto: Annotated[Money, Ui("Diferença", in_list=True)]
    acumulada: Annotated[Money, Ui("Depreciação e redução", in_list=True)]
    contabil_acumulada: Annotated[Money, Ui("Depreciação na contabilidade", in_list=True)]
    diferenca_acumulada: Annotated[Money, Ui("Diferença da depreciação", in_list=True)]
    justificativa: Annotated[str, Ui("Por que difere", in_list=True)]


CONTA = Entity(name="conciliacao_conta", label=lazy("Conta conciliada"), given=Conta, title="conta")
