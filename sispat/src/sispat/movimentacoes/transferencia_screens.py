"""The forms about transfers: ask, accept, refuse, cancel."""

from __future__ import annotations

from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.i18n import lazy, ngettext
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import transferencias
from sispat.movimentacoes.fields import (
    AceiteDeTransferencia,
    CancelamentoDeTransferencia,
    NovaTransferencia,
    RecusaDeTransferencia,
)
from sispat.movimentacoes.kinds import TRANSFERENCIAS
from sispat.movimentacoes.screens import MovementForm, OfOneMovement
from sispat.ui.pages import redirect

__all__ = ["Aceite", "Cancelamento", "Pedido", "Recusa"]


class Pedido(MovementForm):
    """Ask for a transfer."""

    title = lazy("Pedir transferência")
    submit = lazy("Pedir transferência")
    subtitle = lazy("Os bens ficam em transferência até que alguém do setor de destino aceite ou recuse.")
    back = TRANSFERENCIAS.path
    breadcrumbs = ((TRANSFERENCIAS.path, TRANSFERENCIAS.title),)
    model = NovaTransferencia
    action = rules.PEDIR_TRANSFERENCIA

    def setor_of(self, name: str, values: dict[str, str]) -> UUID | None:
        """A local is one of the setor of destination."""
        return _uuid(values.get("destino_id", "")) if name == "local_id" else None

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Ask; then its card, or the list where there are several."""
        documents = await transferencias.pedir(ctx, self.parsed(submission.values))
        if len(documents) > 1:
            return redirect(TRANSFERENCIAS.path, feito="transferencias-pedidas")
        return redirect(f"{TRANSFERENCIAS.path}/{orjson.loads(documents[0])['id']}", feito="transferencia-pedida")


class _Decision(OfOneMovement):
    """A decision about one transfer."""

    kind = TRANSFERENCIAS
    action = rules.DECIDIR_TRANSFERENCIA

    async def load(self, ctx: RequestContext) -> None:
        """Load the transfer."""
        await super().load(ctx)
        self.subtitle = ngettext(
            "%(num)s bem de %(origin)s para %(destination)s.", "%(num)s bens de %(origin)s para %(destination)s.",
            self.stored["bens"], num=self.stored["bens"], origin=self.stored["origem"]["nome"],
            destination=self.stored["destino"]["nome"],
        )  # fmt: skip


class Aceite(_Decision):
    """Receive what was transferred."""

    title = lazy("Aceitar transferência")
    submit = lazy("Aceitar")
    model = AceiteDeTransferencia

    def setor_of(self, name: str, values: dict[str, str]) -> UUID | None:
        """Where it goes to."""
        del values
        return UUID(self.stored["destino"]["id"]) if name == "local_id" else None

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What the request says."""
        del ctx
        asked = {name: self.stored[name.removesuffix("_id")] for name in ("local_id", "agente_id")}
        return {name: reference["id"] for name, reference in asked.items() if reference}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Accept; then the card."""
        await transferencias.aceitar(ctx, self.id, self.parsed(submission.values))
        return redirect(self.back, feito="transferencia-aceita")


class Recusa(_Decision):
    """Send back what was transferred."""

    title = lazy("Recusar transferência")
    submit = lazy("Recusar")
    model = RecusaDeTransferencia

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Refuse; then the card."""
        await transferencias.recusar(ctx, self.id, self.parsed(submission.values))
        return redirect(self.back, feito="transferencia-recusada")


class Cancelamento(_Decision):
    """Take a request back."""

    title = lazy("Cancelar transferência")
    submit = lazy("Cancelar a transferência")
    model = CancelamentoDeTransferencia

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Cancel; then the card."""
        await transferencias.cancelar(ctx, self.id, self.parsed(submission.values))
        return redirect(self.back, feito="transferencia-cancelada")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
