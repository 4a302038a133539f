"""The form of a reconciliation: of each account of a closed month, what accounting has."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.conciliacao import actions, rules
from sispat.conciliacao.fields import NovaConciliacao, SaldoContabil
from sispat.conciliacao.kinds import CONCILIACOES
from sispat.conciliacao.sql import Balance
from sispat.depreciacao import actions as depreciacao
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel import formats
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy
from sispat.ui.fields import FormField, Section
from sispat.ui.forms import Screen
from sispat.ui.pages import redirect

__all__ = ["Conciliacao"]

_TYPED = ("bruto", "acumulada", "justificativa")


class Conciliacao(Screen):
    """Type what accounting has, account by account; the office's balance stands beside each."""

    title = lazy("Conciliar com a contabilidade")
    submit = lazy("Registrar a conciliação")
    back = CONCILIACOES.path
    breadcrumbs = ((CONCILIACOES.path, CONCILIACOES.title),)

    async def load(self, ctx: RequestContext) -> None:
        """For those who may, once a month is closed."""
        ctx.access.require(rules.CONCILIAR)
        self.balances: list[Balance] = []

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """The month that the address names, else the last one that is closed."""
        asked = ctx.request.query_params.get("competencia", "").strip()
        last = None if asked else await depreciacao.ultimo(ctx)
        return {"competencia": asked or (str(last.competencia) if last else "")}

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Three fields for each account; a remark."""
        month = _month(values.get("competencia", ""))
        if month is None:
            self.subtitle = _("Nenhum mês está fechado ainda: feche um antes de conciliar.")
            return ()
        self.balances = await actions.saldos(ctx, month)
        self.hidden = {"competencia": month.isoformat()}
        self.subtitle = _(
            "Fim de %(month)s. Digite o que a contabilidade tem em cada conta; zero, se ela não a tem.",
            month=formats.month(month),
        )
        note = FormField.of(specs(NovaConciliacao)["observacao"])
        return [
            *(Section(f"{each.conta} · {each.nome}", _fields(n, each)) for n, each in enumerate(self.balances)),
            Section("", (note,)),
        ]

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Record it; then its card."""
        values = submission.values
        month = _month(values.get("competencia", ""))
        if month is None:
            raise InvalidData({"competencia": _("Informe um mês, como 10/2026.")})
        balances = await actions.saldos(ctx, month)
        new = {
            "competencia": month.isoformat(), "observacao": values.get("observacao", ""),
            "contas": [_typed(n, each, values) for n, each in enumerate(balances)],
        }  # fmt: skip
        try:
            document = await actions.conciliar(ctx, NovaConciliacao.parse(new))
        except InvalidData as error:
            raise InvalidData({_field(name): message for name, message in error.fields.items()}) from None
        return redirect(f"{CONCILIACOES.path}/{UUID(orjson.loads(document)['id'])}", feito="conciliado")


def _month(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text).replace(day=1)
    except ValueError:
        return None


def _fields(n: int, balance: Balance) -> tuple[FormField, ...]:
    lines = specs(SaldoContabil)
    hints = {"bruto": balance.bruto, "acumulada": balance.acumulada}
    made = []
    for name in _TYPED:
        field = replace(FormField.of(lines[name]), name=f"{name}-{n}")
        if name in hints:
            field = replace(field, hint=_("No patrimônio: %(amount)s", amount=formats.money(hints[name])))
        made.append(field)
    return tuple(made)


def _typed(n: int, balance: Balance, values: Mapping[str, str]) -> dict[str, str]:
    fields = {field.name.rpartition("-")[0]: field for field in _fields(n, balance)}
    return {"conta": balance.conta} | {name: field.read(values.get(field.name, "")) for name, field in fields.items()}


def _field(name: str) -> str:
    """`contas.3.bruto` as the form calls it."""
    parts = re.fullmatch(r"contas\.(\d+)\.(\w+)", name)
    return f"{parts[2]}-{parts[1]}" if parts else name
