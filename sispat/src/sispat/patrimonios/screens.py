"""The forms about assets: register, correct, hand over.

Promises: a local implies its setor, so that the two can't contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.cadastros import actions as cadastros
from sispat.cadastros import pickers
from sispat.http.submission import Submission
from sispat.kernel import formats
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.permissions import Action
from sispat.patrimonios import actions, rules
from sispat.patrimonios.fields import EdicaoDePatrimonio, NovoPatrimonio, TrocaDeCarga
from sispat.ui import labels
from sispat.ui.fields import FormField, Section, choices
from sispat.ui.forms import Screen, version_of
from sispat.ui.pages import redirect

__all__ = ["Carga", "Edicao", "Novo"]

_LIST = ("/patrimonios", "Bens")
_WHAT = (
    FormField("descricao", hint="O que é o bem, com o que o distingue. De 3 a 500 caracteres."),
    FormField("marca", optional=True, width="media"),
    FormField("modelo", optional=True, width="media"),
    FormField("numero_serie", optional=True, width="media"),
)
_ORIGIN = (
    FormField("valor", "moeda", hint="Em reais, como 1.234,56.", width="curta"),
    FormField("data_aquisicao", "data", hint="Dia, mês e ano da compra.", width="curta"),
    FormField(
        "data_disponivel", "data", hint="Em branco, a de aquisição.", optional=True,
        width="curta",
    ),
    FormField("posse", "radio", groups=choices(labels.POSSES)),
    FormField("fornecedor_doc", "documento", optional=True, width="media"),
    FormField("nota_fiscal", optional=True, width="media"),
    FormField("empenho", optional=True, width="media"),
    FormField("licitacao", optional=True, width="media"),
)  # fmt: skip
_STATE = (
    FormField("conservacao", "radio", groups=choices(labels.CONSERVACOES)),
    FormField("observacao", "longo", hint="Até 2.000 caracteres.", optional=True),
)
_QUANTITY = FormField(
    "quantidade", "inteiro", own_label="Quantos bens iguais",
    hint=f"De 1 a {rules.LOTE_MAXIMO}. Cada um recebe o seu número, em sequência.", width="curta",
)  # fmt: skip


async def _description(ctx: Context, values: dict[str, str]) -> list[Section]:
    classe = FormField("classe_id", "escolha", groups=await pickers.classes(ctx, values.get("classe_id", "")))
    return [
        Section("O que é", (_WHAT[0], classe, *_WHAT[1:])),
        Section("Como foi adquirido", _ORIGIN),
        Section("Estado", _STATE),
    ]


async def _custody(ctx: Context, values: dict[str, str]) -> Section:
    return Section(
        "Onde fica e quem responde",
        (
            FormField(
                "local_id", "escolha", hint="Os locais estão reunidos por setor; o setor do bem é o do local.",
                groups=await pickers.locais(ctx, values.get("local_id", "")),
            ),
            FormField("agente_id", "escolha", groups=await pickers.agentes(ctx, values.get("agente_id", ""))),
        ),
    )  # fmt: skip


_DESCRIPTION = (*_WHAT, FormField("classe_id"), *_ORIGIN, *_STATE)
_CUSTODY = (FormField("local_id"), FormField("agente_id"))


def _read(submission: Submission, *fields: FormField) -> dict[str, Any]:
    return {
        field.name: field.read(submission.values[field.name]) for field in fields if field.name in submission.values
    }


async def _with_setor(ctx: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Add the setor of the local."""
    try:
        local = await cadastros.obter(ctx, "local", UUID(data.get("local_id", "")))
    except (ValueError, NotFound):
        return data
    return {**data, "setor_id": local["setor_id"]}


def _without_setor(error: InvalidData) -> InvalidData:
    """What is wrong with the setor is wrong with the local, as people see it."""
    fields = dict(error.fields)
    if fields.pop("setor_id", None):
        fields["local_id"] = "Escolha um local da lista."
    return InvalidData(fields)


class Novo(Screen):
    """Register one asset, or some that are equal."""

    title = "Cadastrar bem"
    submit = "Cadastrar"
    back = "/patrimonios"
    breadcrumbs = (_LIST,)

    async def load(self, ctx: Context) -> None:
        """For those who may."""
        ctx.access.require(rules.CRIAR)

    async def sections(self, ctx: Context, values: dict[str, str]) -> Sequence[Section]:
        """Everything."""
        what, origin, state = await _description(ctx, values)
        return what, origin, await _custody(ctx, values), state, Section("Lote", (_QUANTITY,))

    async def initial(self, ctx: Context) -> dict[str, str]:
        """What is mostly so."""
        del ctx
        return {"conservacao": "bom", "posse": "proprio", "quantidade": "1"}

    async def save(self, ctx: Context, submission: Submission) -> Response:
        """Register; then the card, or for several the list with the newest first."""
        data = await _with_setor(ctx, _read(submission, *_DESCRIPTION, *_CUSTODY, _QUANTITY))
        try:
            documents = await actions.criar(ctx, NovoPatrimonio.parse(data))
        except InvalidData as error:
            raise _without_setor(error) from error
        first = orjson.loads(documents[0])
        if len(documents) == 1:
            return redirect(f"/patrimonios/{first['id']}", feito="criado")
        last = first["numero"] + len(documents) - 1
        return redirect("/patrimonios", sort="-numero", novos=f"{first['numero']}-{last}")


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
        self.subtitle = f"Bem {number} · {self.bem['descricao']}"
        self.breadcrumbs = (_LIST, (self.back, number))

    async def initial(self, ctx: Context) -> dict[str, str]:
        """What is stored."""
        del ctx
        return {**self.texts_of(self.bem), "versao": str(self.bem["versao"])}


class Edicao(_OfOneAsset):
    """Correct what describes an asset."""

    title = "Editar bem"
    action = rules.EDITAR

    async def sections(self, ctx: Context, values: dict[str, str]) -> Sequence[Section]:
        """Everything but place and custody."""
        return await _description(ctx, values)

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        fields = (*_WHAT, *_ORIGIN, *_STATE)
        return {c.name: c.text(stored[c.name]) for c in fields} | {"classe_id": stored["classe"]["id"]}

    async def save(self, ctx: Context, submission: Submission) -> Response:
        """Correct; then the card."""
        data = EdicaoDePatrimonio.parse(_read(submission, *_DESCRIPTION))
        await actions.editar(ctx, self.id, data, version_of(submission))
        return redirect(self.back, feito="salvo")


class Carga(_OfOneAsset):
    """Hand an asset over."""

    title = "Trocar a carga"
    submit = "Trocar a carga"
    action = rules.TROCAR_CARGA

    async def sections(self, ctx: Context, values: dict[str, str]) -> Sequence[Section]:
        """Place and custody."""
        local, agente = (await _custody(ctx, values)).fields
        if self.bem:
            current = self.bem["agente"]
            groups = pickers.with_current(agente.groups, current["id"], f"{current['nome']} ({current['matricula']})")
            agente = replace(agente, groups=groups)
        return (Section("", (local, agente)),)

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return {"local_id": stored["local"]["id"], "agente_id": stored["agente"]["id"]}

    async def save(self, ctx: Context, submission: Submission) -> Response:
        """Hand over; then the card."""
        data = await _with_setor(ctx, _read(submission, *_CUSTODY))
        try:
            await actions.trocar_carga(ctx, self.id, TrocaDeCarga.parse(data), version_of(submission))
        except InvalidData as error:
            raise _without_setor(error) from error
        return redirect(self.back, feito="carga")
