"""How assets depreciate, and who may close months. Pure.

Straight-line by month, from availability for use, over the value without its residual (MCASP, NBC TSP 07; Lei 4.320/64, arts.
94 to 96). Promises: amounts are in cents; all months of a plan together are the value less the residual, exactly; what is not
depreciable never is. The SQL function `fechar_mes` says the same over all assets at once (a test compares them).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import GESTAO, SEES_ALL, Action, Papel

__all__ = [
    "ACTIONS", "FECHAR", "REABRIR", "VER", "Asset", "Balance", "Component", "EntryKind", "EstadoDoFechamento", "Natureza",
    "Plan", "Regra", "Revaluation", "TipoDeBem", "TipoDeReavaliacao", "first_day", "is_over", "month_of", "next_month",
    "residual_of", "state", "value_before", "years_ahead",
]  # fmt: skip

VER = Action("fechamento.ver", gettext_noop("ver o fechamento dos meses"), frozenset(SEES_ALL))
FECHAR = Action("fechamento.fechar", gettext_noop("fechar meses"), GESTAO)
REABRIR = Action("fechamento.reabrir", gettext_noop("reabrir meses"), frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER, FECHAR, REABRIR)


class Regra(Labelled):
    """Which is the first month that counts; a month counts whole or not at all."""

    MES = "mes", "O mês em que o bem fica disponível já conta; o da baixa não"
    MES_SEGUINTE = "mes_seguinte", "Conta a partir do mês seguinte; o da baixa ainda conta"

    @property
    def shift(self) -> int:
        """Months between what happens and the first month that it counts for."""
        return 0 if self is Regra.MES else 1


class EstadoDoFechamento(Labelled):
    """Whether what was closed stands."""

    FECHADO = "fechado", "Fechado"
    REABERTO = "reaberto", "Reaberto"


class TipoDeBem(Labelled):
    """What a line of a closed month is about; an imóvel is two, of which only the building depreciates."""

    MOVEL = "movel", "Bem móvel"
    TERRENO = "terreno", "Terreno"
    EDIFICACAO = "edificacao", "Edificação"


class TipoDeReavaliacao(Labelled):
    """What a commission's report does to a value."""

    REAVALIACAO = "reavaliacao", "Reavaliação"
    REDUCAO = "reducao", "Redução ao valor recuperável"
    REVISAO = "revisao", "Revisão da vida útil e do valor residual"


class EntryKind(Labelled):
    """Why a balance moved in a month (the column `especie` of `lancamento`)."""

    SALDO_INICIAL = "saldo_inicial", "Saldo inicial"
    INCORPORACAO = "incorporacao", "Incorporação"
    ESTORNO_BAIXA = "estorno_baixa", "Estorno de baixa"
    DEPRECIACAO = "depreciacao", "Depreciação do mês"
    AJUSTE = "ajuste", "Ajuste de meses fechados"
    REAVALIACAO = "reavaliacao", "Reavaliação"
    REDUCAO = "reducao", "Redução ao valor recuperável"
    REVISAO = "revisao", "Revisão da vida útil e do valor residual"
    RECLASSIFICACAO = "reclassificacao", "Reclassificação"
    BAIXA = "baixa", "Baixa"


class Component(Labelled):
    """Which balance of an account moved."""

    BRUTO = "bruto", "Valor bruto"
    ACUMULADA = "acumulada", "Depreciação acumulada"
    PERDA = "perda", "Redução ao valor recuperável acumulada"


class Natureza(Labelled):
    """On which side of the balance that moved an entry stands."""

    DEBITO = "D", "Débito"
    CREDITO = "C", "Crédito"


def month_of(day: dt.date) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month - 1


def first_day(month: int) -> dt.date:
    """Of a month."""
    return dt.date(month // 12, month % 12 + 1, 1)


def next_month(month: dt.date) -> dt.date:
    """The first day of the month after."""
    return first_day(month_of(month) + 1)


def is_over(month: dt.date, today: dt.date) -> bool:
    """Whether it may be closed: on its last day it may, as at the end of the year."""
    return today >= next_month(month) - dt.timedelta(days=1)


def residual_of(value: Decimal, percent: Decimal) -> Decimal:
    """What is never depreciated, rounded to the cent."""
    return (value * percent / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)


class Balance(NamedTuple):
    """What an asset is worth, by component."""

    bruto: Decimal
    acumulada: Decimal
    perda: Decimal

    @property
    def liquido(self) -> Decimal:
        """Net of depreciation and impairment."""
        return self.bruto - self.acumulada - self.perda


NOTHING = Balance(Decimal(0), Decimal(0), Decimal(0))


class Plan(NamedTuple):
    """What is depreciated, over how many months, from which on. `start` is the balance before the first of them."""

    start: Balance
    residual: Decimal
    months: int
    since: int
    depreciable: bool

    def until(self, month: int) -> Balance:
        """The balance at the end of `month`."""
        return self.start._replace(acumulada=self.start.acumulada + self._depreciated(month - self.since + 1))

    def _depreciated(self, months: int) -> Decimal:
        whole = self.start.liquido - self.residual
        if not self.depreciable or months <= 0 or whole <= 0:
            return Decimal(0)
        if months >= self.months:
            return whole
        # In whole cents and rounded half up once, from the beginning: no month inherits the rounding of another.
        cents = (2 * int(whole * 100) * months + self.months) // (2 * self.months)
        return Decimal(cents).scaleb(-2)


class Revaluation(NamedTuple):
    """From its month on an asset has this balance and depreciates anew; `residual` is an amount, `months` are what remains."""

    day: dt.date
    after: Balance
    months: int
    residual: Decimal


@dataclass(frozen=True, slots=True)
class Asset:
    """What is known of an asset, as far as its value is concerned; revaluations in order of their days."""

    value: Decimal
    acquired: dt.date
    available: dt.date
    months: int
    residual_percent: Decimal
    depreciable: bool = True
    revaluations: tuple[Revaluation, ...] = ()
    written_off: dt.date | None = None
    ours: bool = True

    def in_books(self, month: int) -> bool:
        """Whether it is there at the end of the month; what belongs to others never is."""
        gone = self.written_off is not None and month_of(self.written_off) <= month
        return self.ours and month_of(self.acquired) <= month and not gone

    def plan(self, month: int, rule: Regra) -> Plan:
        """The plan that holds at the end of `month`."""
        known = [
            each
            for each in self.revaluations
            if month_of(each.day) <= month and (self.written_off is None or each.day <= self.written_off)
        ]
        if not known:
            start = Balance(self.value, Decimal(0), Decimal(0))
            residual = residual_of(self.value, self.residual_percent)
            return Plan(start, residual, self.months, month_of(self.available) + rule.shift, self.depreciable)
        last = known[-1]
        return Plan(last.after, last.residual, last.months, month_of(last.day) + rule.shift, self.depreciable)


def state(asset: Asset, month: int, rule: Regra) -> Balance:
    """What an asset is worth at the end of `month`: nothing where it is not in the books then."""
    return asset.plan(month, rule).until(month) if asset.in_books(month) else NOTHING


def value_before(asset: Asset, day: dt.date, rule: Regra) -> Balance:
    """What an asset is worth when it is revalued on this day, by the months that count before it."""
    earlier = tuple(each for each in asset.revaluations if month_of(each.day) < month_of(day))
    month = month_of(day) + rule.shift - 1
    return replace(asset, written_off=None, revaluations=earlier).plan(month, rule).until(month)


def years_ahead(asset: Asset, since: int, years: int, rule: Regra) -> Iterator[tuple[int, Decimal, Balance]]:
    """Year, what is depreciated in it, balance at its end: from the month after `since` to the end of the last year."""
    before = state(asset, since, rule)
    first = (since + 1) // 12
    for year in range(first, first + years):
        after = state(asset, year * 12 + 11, rule)
        yield year, after.acumulada - before.acumulada, after
        before = after
