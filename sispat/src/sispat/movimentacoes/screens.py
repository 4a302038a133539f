"""What the forms about movements share: fields with their choices, the assets that were ticked in a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from sispat.cadastros import pickers
from sispat.comissoes.actions import opcoes
from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.http.session import RequestContext
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _
from sispat.kernel.inputs import Input
from sispat.kernel.permissions import Action
from sispat.kernel.records import Kind, obter
from sispat.ui.fields import FormField, Section, choices, in_sections, typed
from sispat.ui.forms import Screen

__all__ = ["MovementForm", "OfOneMovement"]

_WHOLE_CITY = frozenset({"destino_id"})  # what is handed over may go to a setor out of reach


class MovementForm(Screen):
    """A form made from `model`; whoever may do `action` sees it."""

    model: type[Input]
    action: Action
    commission = FinalidadeDaComissao.BAIXA
    """What the commissions that are offered were named for."""
    acts_now = False
    """Whether the commission acts on the day on which the form is sent; else on a day that the form says."""

    async def load(self, ctx: RequestContext) -> None:
        """For those who may."""
        ctx.access.require(self.action)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What is mostly so, and the numbers of the assets that were chosen in a list (`?bem=`)."""
        values = {name: field.default for name, field in self._fields().items() if field.default}
        chosen = [number for number in ctx.request.query_params.getlist("bem") if number.isascii() and number.isdigit()]
        return values | ({"numeros": ", ".join(chosen)} if chosen else {})

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """All fields, their choices loaded."""
        ready = []
        for name, spec in specs(self.model).items():
            if not spec.ui.in_form:
                continue
            field = FormField.of(spec)
            if spec.ui.refers_to == "comissao":
                field = replace(field, groups=choices(await opcoes(ctx, self.commission, ctx.today, now=self.acts_now)))
            elif spec.ui.refers_to:
                setor = self.setor_of(name, values)
                field = await pickers.with_choices(
                    ctx, field, spec.ui.refers_to, values, setor, whole_city=name in _WHOLE_CITY
                )
            ready.append(field)
        return in_sections(ready, tuple(dict.fromkeys(field.section for field in ready)))

    def setor_of(self, name: str, values: dict[str, str]) -> UUID | None:
        """The setor that the choices of a field are narrowed to."""
        del name, values
        return None

    def parsed(self, values: dict[str, str]) -> Any:
        """What was typed, as `model`."""
        return self.model.parse(typed(self._fields().values(), values))

    def _fields(self) -> dict[str, FormField]:
        return {name: FormField.of(spec) for name, spec in specs(self.model).items() if spec.ui.in_form}


class OfOneMovement(MovementForm):
    """A form about a movement of a kind that exists."""

    kind: Kind

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"{self.kind.path}/{id_}"
        self.stored: dict[str, Any] = {}

    async def load(self, ctx: RequestContext) -> None:
        """Load it."""
        await super().load(ctx)
        self.stored = orjson.loads(await obter(ctx, self.kind, self.id))
        number = _("Nº %(number)s", number=self.stored["numero"])
        self.breadcrumbs = ((self.kind.path, self.kind.title), (self.back, number))
