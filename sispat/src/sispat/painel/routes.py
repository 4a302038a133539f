"""What waits for a person, where things stand, the way to what they do most, what came in last.

Promises: the totals and the charts are exact and read, not counted (`patrimonios.totals`), so the page costs the same in a
city of a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import orjson

from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.kernel.i18n import ngettext
from sispat.painel.pending import pending
from sispat.patrimonios import actions as patrimonios
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.patrimonios.totals import Parte, partes, totais
from sispat.ui.pages import page

__all__ = ["route"]

route = Routes()

_BARS = 5


class Bar(NamedTuple):
    """One line of a chart: what it is called, where its assets are listed, its value, its length in percent."""

    name: str
    path: str
    value: Decimal
    percent: float


def bars(parts: Sequence[Parte]) -> list[Bar]:
    """The most valuable parts, and all others as one; empty where there is nothing to compare."""
    if len(parts) < 2:
        return []
    shown = parts if len(parts) <= _BARS + 1 else parts[:_BARS]
    others = parts[len(shown) :]
    lines = [(each.nome, f"/patrimonios?{each.tipo}={each.id}", each.valor) for each in shown]
    if others:
        name = ngettext("%(num)s outro", "%(num)s outros", len(others), num=len(others))
        lines.append((name, "", sum((each.valor for each in others), Decimal(0))))
    most = max(value for *_, value in lines) or Decimal(1)
    return [Bar(name, path, value, round(float(100 * value / most), 1)) for name, path, value in lines]


@route("GET", "/")
async def first_page(ctx: RequestContext) -> Reply:
    """The first page."""
    of = await partes(ctx)
    newest = await patrimonios.listar(ctx, ListaDePatrimonios(sort="-numero", limit=5))
    return page(
        "painel/painel.html",
        totais=await totais(ctx),
        setores=bars([each for each in of if each.tipo == "setor"]),
        classes=bars([each for each in of if each.tipo == "classe"]),
        pending=await pending(ctx, ctx.today, click_signing=ctx.service.settings.click_signing),
        novos=[orjson.loads(document) for document in newest.documents],
    )
