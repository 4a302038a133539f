"""The forms about closed months: close the next, reopen the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.depreciacao import actions, rules
from sispat.depreciacao.fields import NovoFechamento, ReaberturaDeMes
from sispat.depreciacao.kinds import FECHAMENTOS
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel import formats
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy, ngettext
from sispat.kernel.records import obter
from sispat.ui.fields import FormField, Section, typed
from sispat.ui.forms import Screen
from sispat.ui.pages import redirect

__all__ = ["Fechamento", "Reabertura"]


class Fechamento(Screen):
    """Close the next month; the first time also which one, and by which rule."""

    title = lazy("Fechar o mês")
    submit = lazy("Fechar o mês")
    back = FECHAMENTOS.path
    breadcrumbs = ((FECHAMENTOS.path, FECHAMENTOS.title),)

    async def load(self, ctx: RequestContext) -> None:
        """What is closed already, for those who may."""
        ctx.access.require(rules.FECHAR)
        self.last = await actions.ultimo(ctx)
        if self.last is None:
            self.subtitle = _("O primeiro fechamento leva ao livro o que os bens já depreciaram até o mês escolhido.")
        else:
            last = formats.month(self.last.competencia)
            self.subtitle = _(
                "O último mês fechado é %(month)s. Todos os bens entram; leva alguns segundos.", month=last
            )
        if without := await actions.sem_classe(ctx):
            self.subtitle += " " + ngettext(
                "%(num)s imóvel fica de fora: falta a classe do terreno ou da edificação.",
                "%(num)s imóveis ficam de fora: falta a classe do terreno ou da edificação.",
                without, num=formats.decimal(without),
            )  # fmt: skip

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """The next month; at first the last one that is over, and the rule that most use."""
        if self.last is not None:
            month = rules.next_month(self.last.competencia)
        else:
            month = rules.first_day(rules.month_of(ctx.today) - 1)
        return {"competencia": f"{month:%m/%Y}", "regra": rules.Regra.MES.value}

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """The month, and the rule while none is closed."""
        del ctx, values
        fields = _fields()
        return (Section("", tuple(fields if self.last is None else [each for each in fields if each.name != "regra"])),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Ask for it; then how far it is."""
        new = NovoFechamento.parse(typed(_fields(), submission.values))
        return redirect(f"/tarefas/{await actions.fechar(ctx, new, ctx.today)}")


def _fields() -> list[FormField]:
    return [FormField.of(spec) for spec in specs(NovoFechamento).values()]


class Reabertura(Screen):
    """Open the last month again."""

    title = lazy("Reabrir o mês")
    submit = lazy("Reabrir o mês")

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"{FECHAMENTOS.path}/{id_}"

    async def load(self, ctx: RequestContext) -> None:
        """The month, for those who may."""
        ctx.access.require(rules.REABRIR)
        stored: dict[str, Any] = orjson.loads(await obter(ctx, FECHAMENTOS, self.id))
        month = formats.month(stored["competencia"])
        self.breadcrumbs = ((FECHAMENTOS.path, FECHAMENTOS.title), (self.back, month))
        self.subtitle = _("%(month)s volta a ficar aberto. O que foi fechado continua guardado.", month=month)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Why."""
        del ctx, values
        return (Section("", tuple(FormField.of(spec) for spec in specs(ReaberturaDeMes).values())),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Open it; then its card."""
        fields = [FormField.of(spec) for spec in specs(ReaberturaDeMes).values()]
        await actions.reabrir(ctx, self.id, ReaberturaDeMes.parse(typed(fields, submission.values)))
        return redirect(self.back, feito="mes-reaberto")
