"""The forms about counts: open one, move it on, decide an item, register what was found without a plate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.inventario import rules
from sispat.inventario.actions import deciding, opening
from sispat.inventario.fields import DecisaoDeItem, NovoInventario
from sispat.inventario.kinds import INVENTARIOS, ITENS
from sispat.inventario.rules import Decisao, EstadoDoInventario
from sispat.kernel.i18n import _, lazy
from sispat.kernel.records import obter
from sispat.movimentacoes.found_screens import Regularizacao
from sispat.movimentacoes.screens import MovementForm, OfOneMovement
from sispat.ui.fields import Section, choices
from sispat.ui.forms import Screen
from sispat.ui.pages import redirect

__all__ = ["Abertura", "Conclusao", "DecisaoDoItem", "Encerramento", "Inicio", "Reabertura", "RegularizacaoDoItem"]


class Abertura(MovementForm):
    """Open a count."""

    title = lazy("Abrir inventário")
    submit = lazy("Abrir")
    subtitle = lazy("A lista do que se espera achar é fixada agora, como o cadastro está.")
    back = INVENTARIOS.path
    breadcrumbs = ((INVENTARIOS.path, INVENTARIOS.title),)
    model, action = NovoInventario, rules.ABRIR
    commission, acts_now = FinalidadeDaComissao.INVENTARIO, True

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """Of a setor, as of today."""
        return {"escopo": rules.EscopoDoInventario.SETOR, "data_base": str(ctx.today)}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Open; then the card."""
        made = orjson.loads(await opening.abrir(ctx, self.parsed(submission.values), ctx.today))
        return redirect(f"{INVENTARIOS.path}/{made['id']}", feito="inventario-aberto")


class _Step(Screen):
    """Move a count on, after a second thought."""

    template = "inventario/passo.html"
    to: EstadoDoInventario
    told = ""
    done_as = ""

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"{INVENTARIOS.path}/{id_}"

    async def load(self, ctx: RequestContext) -> None:
        """The count, for those who may."""
        ctx.access.require(rules.ENCERRAR)
        stored: dict[str, Any] = orjson.loads(await obter(ctx, INVENTARIOS, self.id))
        self.subtitle = _("Inventário nº %(number)s", number=stored["numero"])
        self.breadcrumbs = ((INVENTARIOS.path, INVENTARIOS.title), (self.back, self.subtitle))

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Nothing to fill in."""
        del ctx, values
        return ()

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Move it on; then its card."""
        del submission
        await opening.mudar_estado(ctx, self.id, self.to)
        return redirect(self.back, feito=self.done_as)


class Inicio(_Step):
    """Begin to count."""

    title = lazy("Começar a contagem")
    submit = lazy("Começar")
    to, done_as = EstadoDoInventario.CONTANDO, "contagem-iniciada"
    told = lazy("Quem pode contar passa a ver o inventário no telefone, em Contar.")


class Conclusao(_Step):
    """Count no more."""

    title = lazy("Concluir a contagem")
    submit = lazy("Concluir")
    to, done_as = EstadoDoInventario.DECIDINDO, "contagem-concluida"
    told = lazy("Depois disto nenhuma leitura é aceita, e decide-se cada divergência. Dá para voltar a contar.")


class Reabertura(_Step):
    """Count again."""

    title = lazy("Voltar a contar")
    submit = lazy("Voltar a contar")
    to, done_as = EstadoDoInventario.CONTANDO, "contagem-reaberta"
    told = lazy("O que já foi decidido fica decidido; o resto pode ser lido de novo.")


class Encerramento(_Step):
    """Close for good."""

    title = lazy("Encerrar o inventário")
    submit = lazy("Encerrar para sempre")
    to, done_as = EstadoDoInventario.ENCERRADO, "inventario-encerrado"
    told = lazy("Depois disto nada dele muda mais, por ninguém.")


class _OfItem(OfOneMovement):
    """A form about an item."""

    kind, action = ITENS, rules.DECIDIR

    async def load(self, ctx: RequestContext) -> None:
        """Load it."""
        await super().load(ctx)
        plate = f"{self.stored['plaqueta']:06} · " if self.stored["plaqueta"] else ""
        self.subtitle = f"{plate}{self.stored['descricao']}"


class DecisaoDoItem(_OfItem):
    """Decide a divergence."""

    title = lazy("Decidir a divergência")
    submit = lazy("Decidir")
    model = DecisaoDeItem

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """What may be decided of this item."""
        (section,) = await super().sections(ctx, values)
        open_ = {str(each): each.label for each in deciding.possible(self.stored) if each is not Decisao.REGULARIZAR}
        fields = tuple(
            replace(field, groups=choices(open_)) if field.name == "decisao" else field
            for field in section.fields
            if field.name != "agente_id" or open_.keys() & {Decisao.TRANSFERIR, Decisao.REENCONTRAR}
        )
        return (replace(section, fields=fields),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Decide; then the next one of the same count, or the card."""
        await deciding.decidir(ctx, self.id, self.parsed(submission.values), ctx.today)
        return redirect(self.back, feito="divergencia-decidida")


class RegularizacaoDoItem(Regularizacao):
    """Register what a count found without a plate: the form of a regularisation, filled with what was noted."""

    action = rules.DECIDIR

    def __init__(self, id_: UUID) -> None:
        super().__init__()
        self.id, self.back = id_, f"{ITENS.path}/{id_}"
        self.stored: dict[str, Any] = {}

    async def load(self, ctx: RequestContext) -> None:
        """Load the item."""
        await super().load(ctx)
        self.stored = orjson.loads(await obter(ctx, ITENS, self.id))
        self.breadcrumbs = ((ITENS.path, ITENS.title), (self.back, self.stored["descricao"]))

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What whoever found it wrote down."""
        item = self.stored
        known = {
            "descricao": item["descricao"],
            "circunstancia": item["nota"]
            or _("Achado no inventário nº %(number)s", number=item["inventario"]["numero"]),
            "local_id": item["local"]["id"] if item["local"] else "",
            "avaliado_em": str(ctx.today),
        }
        return {**await super().initial(ctx), **known}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Register; then the item's card."""
        await deciding.regularizar(ctx, self.id, self.parsed(submission.values), ctx.today)
        return redirect(self.back, feito="divergencia-decidida")
