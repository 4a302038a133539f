"""Reports: a page of one, its sums, all of it.

Promises: the permission is asked first; nobody reads what is out of reach; of a month only what was closed is reported; what
leaves as a file is audited before its first line does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sispat.cadastros import actions as cadastros
from sispat.kernel import audit, formats
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Cell
from sispat.kernel.i18n import _
from sispat.kernel.paging import Place, cursor_at, place_of
from sispat.kernel.situacoes import FonteDeRecurso
from sispat.relatorios.fields import Pedido, PedidoDoMes
from sispat.relatorios.report import Fact, Report, as_read
from sispat.relatorios.rules import FaixaDeIdade, Formato, Garantia, Grupo
from sispat.relatorios.sql import reports as sql

__all__ = ["Prepared", "exportar", "lote_exportado", "pagina", "preparar", "somas", "todas"]

Row = dict[str, Any]
# Parameters that a text may name and its filters lack.
_UNSAID: dict[str, Any] = {
    **dict.fromkeys(
        ("setor", "agente", "classe", "posse", "fonte", "garantia", "idade_de", "idade_ate", "por", "especie", "tipo")
    ),
    "conta": "",
}
_GROUPS = {Grupo.FONTE: FonteDeRecurso, Grupo.GARANTIA: Garantia, Grupo.IDADE: FaixaDeIdade}


class Prepared(NamedTuple):
    """A report that somebody who may asks for, on a day; `facts` is what stands above its lines."""

    report: Report
    asked: Pedido
    query: sql.Query
    facts: Sequence[Fact]


async def preparar(ctx: Context, report: Report, asked: Pedido, today: dt.date) -> Prepared:
    """Ask whether it may be read, and find the month; raises `InvalidData` for one that is not closed."""
    ctx.access.require(report.action)
    month = asked.competencia if isinstance(asked, PedidoDoMes) else None
    closed = await sql.fechado(ctx.conn, month)
    if month is not None and closed is None:
        last = await sql.fechado(ctx.conn, None)
        raise InvalidData({"competencia": _not_closed(month, last)})
    facts = list(await report.facts(ctx, asked)) if report.facts else await _facts(ctx, report, asked)
    if isinstance(asked, PedidoDoMes) and closed is not None:
        facts = [(_("Mês"), formats.month(closed.competencia)), *facts]
    values = {name: value for name, value in asked.model_dump(mode="json").items() if name not in Pedido.model_fields}
    reach = None if ctx.access.setores is None else list(ctx.access.setores)
    said = {
        **_UNSAID, **values, "setores": reach, "hoje": today, "mes": closed.competencia if closed else None,
        "fechado": closed.numero if closed else None,
    }  # fmt: skip
    # Assets that are put together by nothing are in the order of their numbers alone, which an index has.
    grouped = getattr(asked, "por", "") is not None
    return Prepared(report, asked, sql.Query(report.texts, said, grouped), facts)


def _not_closed(month: dt.date, last: sql.Closed | None) -> str:
    if last is None:
        return _("O mês %(month)s não está fechado; nenhum foi fechado ainda.", month=formats.month(month))
    return _(
        "O mês %(month)s não está fechado. O último fechado é %(last)s.",
        month=formats.month(month), last=formats.month(last.competencia),
    )  # fmt: skip


async def _facts(ctx: Context, report: Report, asked: Pedido) -> list[Fact]:
    """The filters that are set, in words."""
    found: list[Fact] = []
    for name, spec in report.filters.items():
        value = getattr(asked, name)
        if value in (None, "") or name == "competencia":
            continue
        text = as_read(spec, value)
        if spec.ui.refers_to:
            chosen = await cadastros.escolha(ctx, spec.ui.refers_to, UUID(str(value)))
            text = chosen.label if chosen else formats.EMPTY
        found.append((str(spec.ui.label), text))
    return found


async def pagina(ctx: Context, what: Prepared) -> tuple[list[Row], str | None]:
    """The lines of a page, and the cursor of the next one, if there is one."""
    name = f"relatorio {what.report.name} {getattr(what.asked, 'por', '')}"
    place = place_of(name, what.asked.cursor, "text")
    limit = what.asked.limit
    found = await sql.linhas(ctx.conn, what.query, None if place is None else (place.key, place.numero), limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = cursor_at(name, Place(last["ordem"], last["lugar"]))
    return _lines(what, found[:limit]), following


async def somas(ctx: Context, what: Prepared) -> Row:
    """How many lines it has (`linhas`), and the sums of its columns: of counts whole numbers, as in a line."""
    found = await sql.somas(ctx.conn, what.query, what.report.summed)
    columns = what.report.columns  # the database adds counts up to a numeric
    counts = [name for name in what.report.summed if columns[name].type is int and found[name] is not None]
    return {**found, **{name: int(found[name]) for name in counts}}


async def exportar(ctx: Context, what: Prepared, format_: Formato) -> None:
    """Note in the audit that this person takes the report out of the service."""
    asked = what.asked.model_dump(mode="json", exclude_defaults=True, exclude={"cursor", "limit"})
    await audit.record(
        ctx.conn, **ctx.author._asdict(), entidade="usuario", entidade_id=ctx.actor, acao="exportar_relatorio",
        depois={"relatorio": what.report.name, "formato": format_.value, **asked},
    )  # fmt: skip


async def lote_exportado(
    ctx: Context, what: Prepared, after: tuple[str, int] | None, size: int = 5000
) -> tuple[list[Sequence[Cell]], tuple[str, int] | None]:
    """The next lines of a file, and the place to go on from; None: these are the last. The reach is that of now."""
    ctx.access.require(what.report.action)
    reach = None if ctx.access.setores is None else list(ctx.access.setores)
    query = sql.Query(what.query.texts, {**what.query.values, "setores": reach}, what.query.grouped)
    found = await sql.linhas(ctx.conn, query, after, size)
    following = (found[-1]["ordem"], found[-1]["lugar"]) if len(found) == size else None
    columns = what.report.columns.values()
    return [[spec.cell(row[spec.name]) for spec in columns] for row in _lines(what, found)], following


async def todas(ctx: Context, what: Prepared, lot: int = 1000) -> AsyncIterator[list[Row]]:
    """All lines as of one moment, in lots; in the transaction of the caller."""
    async for rows in sql.todas(ctx.conn, what.query, lot):
        yield _lines(what, rows)


def _lines(what: Prepared, rows: Sequence[Row]) -> list[Row]:
    """Without what only puts them in order; a group by its label."""
    groups = _GROUPS.get(getattr(what.asked, "por", None) or Grupo.SETOR)
    lines = []
    for row in rows:
        line = {name: value for name, value in row.items() if name not in ("ordem", "lugar")}
        if groups is not None:
            line["grupo"] = groups(line["grupo"]).label
        lines.append(line)
    return lines
