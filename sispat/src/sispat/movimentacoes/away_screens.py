"""The forms about loans, maintenance and write-offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sispat.cadastros import actions as cadastros
from sispat.documentos.rules import TipoDeDocumento
from sispat.documentos.screens import attach_to_each, file_fields
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.formats import plate_number
from sispat.kernel.i18n import _, lazy
from sispat.kernel.records import Kind
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import baixas, emprestimos, manutencoes, saida
from sispat.movimentacoes.fields import (
    ConclusaoDeManutencao,
    DevolucaoDeEmprestimo,
    EstornoDeBaixa,
    NovaBaixa,
    NovaManutencao,
    NovoEmprestimo,
    ProrrogacaoDeEmprestimo,
    SaidaDeAgente,
)
from sispat.movimentacoes.kinds import BAIXAS, EMPRESTIMOS, MANUTENCOES
from sispat.movimentacoes.rules import MotivoDaBaixa
from sispat.movimentacoes.screens import MovementForm, OfOneMovement
from sispat.ui.fields import Section
from sispat.ui.pages import redirect

__all__ = ["Baixa", "Conclusao", "Devolucao", "Emprestimo", "Envio", "Estorno", "Leaving", "Prorrogacao", "Saida"]


class Leaving(MovementForm):
    """A form by which assets go away; `dated` is filled with today."""

    kind: Kind
    dated: str

    def __init__(self) -> None:
        self.back = self.kind.path
        self.breadcrumbs = ((self.kind.path, self.kind.title),)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """Today, and what was chosen in a list."""
        return {self.dated: str(ctx.today), **await super().initial(ctx)}

    def made(self, documents: Sequence[str], told: str) -> Response:
        """Its card, or the list where there are several."""
        path = self.kind.path if len(documents) > 1 else f"{self.kind.path}/{orjson.loads(documents[0])['id']}"
        return redirect(path, feito=told)


def _paper(tipo: TipoDeDocumento) -> str:
    return _("%(paper)s, se já houver: foto ou PDF.", paper=tipo.label)


class Emprestimo(Leaving):
    """Lend."""

    title = lazy("Emprestar")
    submit = lazy("Emprestar")
    kind, dated, model, action = EMPRESTIMOS, "saida", NovoEmprestimo, rules.EMPRESTAR

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Lend; then the card."""
        return self.made(await emprestimos.emprestar(ctx, self.parsed(submission.values), ctx.today), "emprestado")


class Envio(Leaving):
    """Send to maintenance."""

    title = lazy("Enviar para manutenção")
    submit = lazy("Enviar")
    kind, dated, model, action = MANUTENCOES, "enviado_em", NovaManutencao, rules.ENVIAR_PARA_MANUTENCAO

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Send; then the card."""
        return self.made(await manutencoes.enviar(ctx, self.parsed(submission.values), ctx.today), "enviado")


_M, _T = MotivoDaBaixa, TipoDeDocumento
_PAPERS = {
    _M.LEILAO: _T.LAUDO, _M.DOACAO: _T.TERMO, _M.PERMUTA: _T.TERMO, _M.INUTILIZACAO: _T.LAUDO, _M.FURTO_ROUBO: _T.BOLETIM,
    _M.EXTRAVIO: _T.LAUDO, _M.SINISTRO: _T.LAUDO, _M.ERRO_CADASTRO: _T.OUTRO,
}  # fmt: skip
"""What is attached when an asset is written off by a motive."""


class Baixa(Leaving):
    """Write off, by one motive: only what that one asks for is there to be filled in."""

    submit = lazy("Dar baixa")
    subtitle = lazy("O bem sai do patrimônio. Só um administrador pode desfazer isto.")
    kind, dated, model, action = BAIXAS, "data", NovaBaixa, rules.BAIXAR
    sends_files = True

    def __init__(self, motivo: str) -> None:
        super().__init__()
        if motivo not in set(MotivoDaBaixa):
            raise HTTPException(404)
        self.motivo = MotivoDaBaixa(motivo)
        self.title = _("Dar baixa: %(motive)s", motive=self.motivo.label)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """What every write-off has, and what this motive asks for."""
        asked = {"numeros", "data", "justificativa", *rules.REQUIRED[self.motivo]}
        if self.motivo is not _M.ERRO_CADASTRO:  # where none is asked for, one may still have looked into it
            asked.add("comissao_id")
        # The act and its members come with the commission, or are typed: neither way alone is a must.
        must = {*rules.REQUIRED[self.motivo]} - {"portaria", "membros"}
        typed = [
            Section(
                section.title,
                tuple(
                    replace(field, optional=field.optional and field.name not in must)
                    for field in section.fields
                    if field.name in asked
                ),
            )
            for section in await super().sections(ctx, values)
        ]
        return [*typed, Section(_("Papéis"), file_fields(_paper(_PAPERS[self.motivo])))]

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Write off; then the card."""
        new = self.parsed({**submission.values, "motivo": self.motivo})
        members = ctx.service.settings.commission_members
        made = await baixas.baixar(ctx, new, ctx.today, members)
        ids = [UUID(orjson.loads(document)["id"]) for document in made]
        await attach_to_each(ctx, BAIXAS.entity.name, ids, submission, _PAPERS[self.motivo])
        return self.made(made, "baixado")


class _Return(OfOneMovement):
    """A form by which an asset is back; `dated` is filled with today, if anything is."""

    dated = ""

    async def load(self, ctx: RequestContext) -> None:
        """Load what it is about."""
        await super().load(ctx)
        asset = self.stored["patrimonio"]
        self.subtitle = f"{_('Bem %(number)s', number=plate_number(asset['numero']))} · {asset['nome']}"

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """Today."""
        return {self.dated: str(ctx.today)} if self.dated else {}


class Devolucao(_Return):
    """Note that a lent asset is back."""

    title = lazy("Registrar a devolução")
    submit = lazy("Registrar a devolução")
    kind, dated, model, action = EMPRESTIMOS, "devolvido_em", DevolucaoDeEmprestimo, rules.DEVOLVER

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Note; then the card."""
        await emprestimos.devolver(ctx, self.id, self.parsed(submission.values), ctx.today)
        return redirect(self.back, feito="devolvido")


class Prorrogacao(_Return):
    """Give a loan a later day."""

    title = lazy("Prorrogar o empréstimo")
    submit = lazy("Prorrogar")
    kind, model, action = EMPRESTIMOS, ProrrogacaoDeEmprestimo, rules.PRORROGAR

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Extend; then the card."""
        await emprestimos.prorrogar(ctx, self.id, self.parsed(submission.values), ctx.today)
        return redirect(self.back, feito="prorrogado")


class Conclusao(_Return):
    """Note what a maintenance did and cost."""

    title = lazy("Concluir a manutenção")
    submit = lazy("Concluir")
    kind, dated, model, action = MANUTENCOES, "concluido_em", ConclusaoDeManutencao, rules.CONCLUIR_MANUTENCAO
    sends_files = True

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """What was done, and its invoice."""
        typed = await super().sections(ctx, values)
        return [*typed, Section(_("Papéis"), file_fields(_paper(TipoDeDocumento.NOTA_FISCAL)))]

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Note; then the card."""
        await manutencoes.concluir(ctx, self.id, self.parsed(submission.values), ctx.today)
        await attach_to_each(ctx, MANUTENCOES.entity.name, [self.id], submission, TipoDeDocumento.NOTA_FISCAL)
        return redirect(self.back, feito="concluido")


class Estorno(_Return):
    """Take a write-off back."""

    title = lazy("Desfazer a baixa")
    submit = lazy("Desfazer a baixa")
    kind, model, action = BAIXAS, EstornoDeBaixa, rules.ESTORNAR_BAIXA

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Take back; then the card."""
        await baixas.estornar(ctx, self.id, self.parsed(submission.values))
        return redirect(self.back, feito="estornado")


class Saida(MovementForm):
    """Hand over everything of an agente who leaves."""

    title = lazy("Passar toda a carga")
    submit = lazy("Passar tudo")
    model, action = SaidaDeAgente, rules.PASSAR_CARGA

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"/agentes/{id_}"

    async def load(self, ctx: RequestContext) -> None:
        """Load the person."""
        await super().load(ctx)
        agente = await cadastros.obter(ctx, "agente", self.id)
        self.breadcrumbs = (("/agentes", _("Agentes")), (self.back, agente["nome"]))
        self.subtitle = _("Tudo o que está com %(name)s passa a outra pessoa, de uma vez.", name=agente["nome"])

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Hand over; then the person's card."""
        await saida.passar_carga(ctx, self.id, self.parsed(submission.values))
        return redirect(self.back, feito="carga-passada")
