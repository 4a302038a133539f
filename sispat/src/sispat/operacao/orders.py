"""Orders for circuits: an administrator's, in their session, and audited before they are carried out.

Promises: the token of the settings gives no orders, for nobody would be known to have given them.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import NAMESPACE_URL, UUID, uuid5

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.session import open_context, token_of
from sispat.kernel import audit, tokens
from sispat.kernel.errors import NotAuthenticated
from sispat.operacao.access import brings_token
from sispat.operacao.rules import COMANDAR

__all__ = ["ENTITY", "VERBS", "order_token", "permit"]

ENTITY = "circuito"
VERBS = {"isolate": "isolar_circuito", "reset": "restabelecer_circuito"}


def order_token(request: Request) -> str | None:
    """What the form carries; None for whom the session does not let in."""
    if brings_token(request):
        return None
    try:
        token, _ = token_of(request)
    except NotAuthenticated:
        return None
    return tokens.csrf_for(token)


async def permit(request: Request, form: Mapping[str, str]) -> Response | None:
    """Raise why not, or write into the audit who gives the order."""
    async with open_context(request, form.get("token", "")) as ctx:
        ctx.access.require(COMANDAR)
        await audit.record(
            ctx.conn,
            actor=ctx.actor,
            key_id=ctx.key_id,
            request_id=ctx.request_id,
            entidade=ENTITY,
            entidade_id=circuit_id(form["circuit"]),
            acao=VERBS[form["order"]],
            depois={"circuito": form["circuit"]},
        )
    return None


def circuit_id(name: str) -> UUID:
    """What the audit calls it."""
    return uuid5(NAMESPACE_URL, f"circuito:{name}")
