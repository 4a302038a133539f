"""The movements of a closed month, for accounting and for who checks a figure: summed by account, and asset by asset.

Promises: the sums of both are those of the view `lancamento` (docs/reference/lancamentos.md); of a month that was reopened
there are none. Assets are passed in lots by plate number, imóveis after them, so that no statement takes long, however few of
them moved.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from uuid import UUID

from sispat.depreciacao import sql
from sispat.depreciacao.fields import ListaDeLancamentos
from sispat.depreciacao.kinds import FECHAMENTOS
from sispat.kernel.context import Context
from sispat.kernel.paging import Place, cursor_at, place_of
from sispat.kernel.records import obter, record

__all__ = ["exportar", "lancamentos", "somas"]

_LOT = 2000  # assets


async def somas(ctx: Context, id_: UUID, *, by_setor: bool = True) -> list[dict[str, Any]]:
    """What each account moved in a closing."""
    stored = json.loads(await obter(ctx, FECHAMENTOS, id_))
    return await sql.somas(ctx.conn, stored["numero"], by_setor=by_setor)


async def lancamentos(
    ctx: Context, id_: UUID, asked: ListaDeLancamentos, *, lots: int | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The movements of the next assets, about `asked.limit`, and where those after them begin.

    At most `lots` lots of assets are passed: there may be fewer, or none, and still a place to go on from.
    """
    stored = json.loads(await obter(ctx, FECHAMENTOS, id_))
    name = f"lancamentos {stored['numero']}"
    place = place_of(name, asked.cursor)
    after, found, done = 0 if place is None else place.numero, list[dict[str, Any]](), 0
    columns = {column: str(value) for column in ("conta", "especie", "componente") if (value := getattr(asked, column))}
    while len(found) < asked.limit and (lots is None or done < lots):
        until = await sql.ate(ctx.conn, after, _LOT if columns else min(asked.limit, _LOT))
        if until is None:
            return found, None
        found += await sql.lancamentos(ctx.conn, stored["numero"], after, until, columns)
        after, done = until, done + 1
    if len(found) > asked.limit:  # never a part of an asset's
        after = found[asked.limit - 1]["lugar"]
        found = [row for row in found if row["lugar"] <= after]
    return found, cursor_at(name, Place("0", after))


async def exportar(ctx: Context, id_: UUID) -> dt.date:
    """Note in the audit that this person takes the movements of a closing out of the service; its month."""
    stored = json.loads(await obter(ctx, FECHAMENTOS, id_))
    await record(ctx, FECHAMENTOS, id_, "exportar_lancamentos", None, {"competencia": stored["competencia"]})
    return dt.date.fromisoformat(stored["competencia"])
