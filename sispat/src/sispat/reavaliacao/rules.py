"""Who may revalue assets, and what a report makes of a balance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from sispat.depreciacao.rules import Balance, Plan, TipoDeReavaliacao, residual_of
from sispat.kernel.i18n import _, gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import GESTAO, SEES_ALL, Action, Papel

__all__ = [
    "ACTIONS", "DE_UMA_VEZ", "ESTORNAR", "REAVALIAR", "VER", "EstadoDaReavaliacao", "Outcome", "outcome", "wrong_outcome",
]  # fmt: skip

DE_UMA_VEZ = 10_000  # assets of one report: some seconds of locks
VER = Action("reavaliacao.ver", gettext_noop("ver as reavaliações"), frozenset(SEES_ALL))
REAVALIAR = Action("reavaliacao.registrar", gettext_noop("registrar reavaliações"), GESTAO)
ESTORNAR = Action("reavaliacao.estornar", gettext_noop("estornar reavaliações"), frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER, REAVALIAR, ESTORNAR)


class EstadoDaReavaliacao(Labelled):
    """Whether a report stands."""

    EFETIVA = "efetiva", "Efetiva"
    ESTORNADA = "estornada", "Estornada"


class Outcome(NamedTuple):
    """What an asset is after a report: its balance, how many months it still depreciates, down to what."""

    after: Balance
    months: int
    residual: Decimal


def outcome(
    kind: TipoDeReavaliacao, before: Balance, plan: Plan, month: int, new: Decimal | None, months: int | None,
    percent: Decimal | None,
) -> Outcome:  # fmt: skip
    """What a report makes of `before`, depreciated by `plan` until before `month`.

    A revaluation replaces value and accumulated depreciation by the new value; an impairment keeps both, and its loss stands
    beside them; a revision changes no balance. What the report does not say of life and residual stays as it is.
    """
    net = before.liquido if kind is TipoDeReavaliacao.REVISAO or new is None else new
    if kind is TipoDeReavaliacao.REAVALIACAO:
        after = Balance(net, Decimal(0), Decimal(0))
    else:
        after = before._replace(perda=before.perda + before.liquido - net)
    left = plan.months - max(0, month - plan.since)
    of = before.bruto if kind is TipoDeReavaliacao.REVISAO else net
    residual = min(plan.residual, net) if percent is None else residual_of(of, percent)
    return Outcome(after, months or max(left, 1), residual)


def wrong_outcome(kind: TipoDeReavaliacao, before: Balance, found: Outcome) -> Mapping[str, str]:
    """What is impossible about it: field -> sentence."""
    net = found.after.liquido
    if kind is TipoDeReavaliacao.REDUCAO and net >= before.liquido:
        return {"bens": _("A redução leva a um valor menor que o líquido de hoje; para um maior, use a reavaliação.")}
    if found.residual > net:
        return {"residual_pct": _("O valor residual não pode passar do valor líquido.")}
    return {}
