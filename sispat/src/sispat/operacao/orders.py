"""Orders about circuits and alerts: an administrator's, in their session, and audited before they are carried out.

Promises: the token of the settings gives no orders, for nobody would be known to have given them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.session import open_context, token_of
from sispat.kernel import audit, tokens
from sispat.kernel.errors import NotAuthenticated
from sispat.operacao.access import brings_token
from sispat.operacao.rules import COMANDAR

__all__ = ["ALERT", "CIRCUIT", "order_token", "permit"]

CIRCUIT, ALERT = "circuito", "alerta"


class _Order(NamedTuple):
    """Of an order on the page: what it is about, by the audit's word and the form's, and what the audit calls it."""

    entity: str
    field: str
    verb: str


_ORDERS = {
    "isolate": _Order(CIRCUIT, "circuit", "isolar_circuito"),
    "reset": _Order(CIRCUIT, "circuit", "restabelecer_circuito"),
    "acknowledge": _Order(ALERT, "alert", "assumir_alerta"),
    "silence": _Order(ALERT, "alert", "silenciar_alerta"),
    "end-silence": _Order(ALERT, "alert", "encerrar_silencio"),
}


def order_token(request: Request) -> str | None:
    """What the form carries; None for whom the session does not let in."""
    if brings_token(request):
        return None
    try:
        token, _ = token_of(request)
    except NotAuthenticated:
        return None
    return tokens.csrf_for(token)


async def permit(request: Request, form: Mapping[str, str]) -> Response | str:
    """Raise why not, or write into the audit who gives the order; their name."""
    order = _ORDERS[form["order"]]
    name = form[order.field]
    after: dict[str, str | int] = {order.entity: name}
    if form["order"] == "silence":
        after["minutos"] = int(form["minutes"])
    async with open_context(request, form.get("token", "")) as ctx:
        ctx.access.require(COMANDAR)
        await audit.record(
            ctx.conn,
            actor=ctx.actor,
            key_id=ctx.key_id,
            request_id=ctx.request_id,
            entidade=order.entity,
            entidade_id=_audited_id(order.entity, name),
            acao=order.verb,
            depois=after,
        )
    return ctx.access.nome


def _audited_id(entity: str, name: str) -> UUID:
    """What the audit calls it: the same for the same name, for neither has a row."""
    return uuid5(NAMESPACE_URL, f"{entity}:{name}")
