"""What the fields that refer to a register find by typing: asked by the pages' script, key by key."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sispat.cadastros import actions
from sispat.cadastros.fields import ENTITIES
from sispat.http.responses import json_response
from sispat.http.route import Routes
from sispat.http.session import RequestContext
from sispat.kernel.fields import Ui
from sispat.kernel.inputs import BlankIsNone, Input, Legible

__all__ = ["add"]


class Procura(Input):
    """What is looked for."""

    q: Annotated[str, Field(max_length=100), Legible, Ui("Busca")] = ""
    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor")] = None
    cidade: Annotated[bool, Ui("Os setores de toda a cidade")] = False


def add(route: Routes) -> None:
    """Add the one address: the first choices of a register, as value, label and group (their setor)."""

    @route("GET", "/opcoes/{entidade}")
    async def find(ctx: RequestContext, entidade: str, pedido: Procura) -> Response:
        if entidade not in ENTITIES:
            raise HTTPException(404)
        found, more = await actions.opcoes(ctx, entidade, pedido.q, pedido.setor, whole_city=pedido.cidade)
        items = [{"value": row.id, "label": row.label, "group": row.setor} for row in found]
        response = json_response({"items": items, "more": more})
        response.headers["Cache-Control"] = "no-store"
        return response
