"""The forms about assets: register, correct, hand over.

Promises: a local implies its setor, so that the two can't contradict each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.cadastros import actions as cadastros
from sispat.cadastros import pickers
from sispat.cadastros.pickers import fields_of
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel import formats
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy, ngettext
from sispat.kernel.inputs import Input
from sispat.kernel.permissions import Action
from sispat.patrimonios import actions, rules
from sispat.patrimonios.fields import PATRIMONIO, EdicaoDePatrimonio, NovoPatrimonio, TrocaDeCarga
from sispat.ui.fields import FormField, Section, stored_texts, typed
from sispat.ui.forms import Done, Screen, Unconfirmed, ask_about_dates, version_of
from sispat.ui.pages import redirect

__all__ = ["Carga", "Edicao", "Novo", "created", "sections_of", "without_setor"]

_LIST = ("/patrimonios", lazy("Bens"))


async def sections_of(ctx: Context, model: type[Input], values: dict[str, str]) -> tuple[Section, ...]:
    """The form of `model`, its choices loaded."""
    return await pickers.sections_of(ctx, model, PATRIMONIO.sections, values)


def _texts(model: type[Input], stored: dict[str, Any]) -> dict[str, str]:
    """A stored document as texts of the form of `model`."""
    return stored_texts([spec for spec in specs(model).values() if spec.ui.in_form], stored)


async def _with_setor(ctx: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Add the setor of the local."""
    try:
        local = await cadastros.obter(ctx, "local", UUID(data.get("local_id", "")))
    except (ValueError, NotFound):
        return data
    return {**data, "setor_id": local["setor_id"]}


def _ask_about_dates(ctx: RequestContext, data: EdicaoDePatrimonio, submission: Submission) -> None:
    dates = {"data_aquisicao": data.data_aquisicao, "data_disponivel": data.data_disponivel}
    ask_about_dates(ctx, submission, dates)


def created(text: str) -> str:
    """The numbers just given, as the address of a page tells them (`301-312`), in a sentence."""
    found = re.fullmatch(r"(\d{1,12})-(\d{1,12})", text, re.ASCII)
    if found is None or int(found[1]) > int(found[2]):
        return ""
    first, last = int(found[1]), int(found[2])
    shown = formats.plate_number
    return ngettext(
        "Bem %(first)s cadastrado.", "%(num)s bens cadastrados, de %(first)s a %(last)s.", last - first + 1,
        num=last - first + 1, first=shown(first), last=shown(last),
    )  # fmt: skip


def without_setor(error: InvalidData) -> InvalidData:
    """What is wrong with the setor is wrong with the local, as people see it."""
    if isinstance(error, Unconfirmed):
        return error
    fields = dict(error.fields)
    if fields.pop("setor_id", None):
        fields["local_id"] = _("Escolha um local da lista.")
    return InvalidData(fields)


class Novo(Screen):
    """Register one asset, or some that are equal."""

    title = lazy("Cadastrar bem")
    submit = lazy("Cadastrar")
    back = "/patrimonios"
    breadcrumbs = (_LIST,)
    again = lazy("Cadastrar e fazer outro")

    async def load(self, ctx: Context) -> None:
        """For those who may."""
        ctx.access.require(rules.CRIAR)

    async def sections(self, ctx: Context, values: dict[str, str]) -> Sequence[Section]:
        """Everything."""
        return await sections_of(ctx, NovoPatrimonio, values)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What is mostly so; with `?como=` what another asset has, but for its serial number, which is its alone."""
        values = {field.name: field.default for field in fields_of(NovoPatrimonio) if field.default}
        parameters = ctx.request.query_params
        try:
            model = orjson.loads(await actions.obter(ctx, UUID(parameters["como"])))
        except (KeyError, ValueError, NotFound):
            return values
        number = formats.plate_number(model["numero"])
        self.subtitle = _(
            "Com os dados do bem %(number)s, menos o número de série. Confira e altere o que for diferente.",
            number=number,
        )
        if told := created(parameters.get("novos", "")):
            self.done = Done(told, f"/patrimonios/{model['id']}", _("Ver o bem %(number)s", number=number))
        copied = _texts(EdicaoDePatrimonio, model) | _texts(TrocaDeCarga, model)
        return {**values, **copied, "numero_serie": ""}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Register; then the card, or for several the list with the newest first."""
        data = await _with_setor(ctx, typed(fields_of(NovoPatrimonio), submission.values))
        try:
            new = NovoPatrimonio.parse(data)
            _ask_about_dates(ctx, new, submission)
            documents = await actions.criar(ctx, new)
        except InvalidData as error:
            raise without_setor(error) from error
        first = orjson.loads(documents[0])
        numbers = f"{first['numero']}-{first['numero'] + len(documents) - 1}"
        if submission.wants_another:
            return redirect("/patrimonios/novo", como=first["id"], novos=numbers)
        if len(documents) == 1:
            return redirect(f"/patrimonios/{first['id']}", feito="criado")
        return redirect("/patrimonios", sort="-numero", novos=numbers)


class _OfOneAsset(Screen):
    """A form about an asset that exists."""

    versioned = True
    action: Action

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.bem: dict[str, Any] = {}
        self.back = f"/patrimonios/{id_}"

    async def load(self, ctx: Context) -> None:
        """Load the asset."""
        ctx.access.require(self.action)
        self.bem = orjson.loads(await actions.obter(ctx, self.id))
        number = formats.plate_number(self.bem["numero"])
        self.subtitle = f"{_('Bem %(number)s', number=number)} · {self.bem['descricao']}"
        self.breadcrumbs = (_LIST, (self.back, number))

    async def history(self, ctx: RequestContext) -> list[dict[str, Any]]:
        """What happened to the asset."""
        return await actions.historico(ctx, self.id)

    async def initial(self, ctx: Context) -> dict[str, str]:
        """What is stored."""
        del ctx
        return {**self.texts_of(self.bem), "versao": str(self.bem["versao"])}


class Edicao(_OfOneAsset):
    """Correct what describes an asset."""

    title = lazy("Editar bem")
    action = rules.EDITAR

    async def sections(self, ctx: Context, values: dict[str, str]) -> Sequence[Section]:
        """Everything but place and custody."""
        return await sections_of(ctx, EdicaoDePatrimonio, values)

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return _texts(EdicaoDePatrimonio, stored)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Correct; then the card."""
        data = EdicaoDePatrimonio.parse(typed(fields_of(EdicaoDePatrimonio), submission.values))
        _ask_about_dates(ctx, data, submission)
        await actions.editar(ctx, self.id, data, version_of(submission))
        return redirect(self.back, feito="salvo")


class Carga(_OfOneAsset):
    """Hand an asset over."""

    title = lazy("Trocar a carga")
    submit = lazy("Trocar a carga")
    action = rules.TROCAR_CARGA

    async def sections(self, ctx: Context, values: dict[str, str]) -> Sequence[Section]:
        """Place and custody."""
        (section,) = await sections_of(ctx, TrocaDeCarga, values)
        return (Section("", tuple(map(self._with_present, section.fields))),)

    def _with_present(self, field: FormField) -> FormField:
        """An agente beyond the reach of who is choosing is offered where it is the present one."""
        if field.name != "agente_id" or not self.bem:
            return field
        present = self.bem["agente"]
        label = f"{present['nome']} ({present['matricula']})"
        return pickers.with_current(field, present["id"], label)

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return _texts(TrocaDeCarga, stored)

    async def save(self, ctx: Context, submission: Submission) -> Response:
        """Hand over; then the card."""
        data = await _with_setor(ctx, typed(fields_of(TrocaDeCarga), submission.values))
        try:
            await actions.trocar_carga(ctx, self.id, TrocaDeCarga.parse(data), version_of(submission))
        except InvalidData as error:
            raise without_setor(error) from error
        return redirect(self.back, feito="carga")
