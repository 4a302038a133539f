"""Pages of assets, walked by key.

Promises: a page costs about the same wherever it lies and whatever it is sorted by. How: the indexes of the
schema serve the sorts; where matches may lie together, a page is looked for a little way along its sort, and
if it is not full there, everything that matches is collected and sorted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import AsyncConnection

from sispat.patrimonios.sql.document import JOINS, SHORT, WHOLE
from sispat.patrimonios.sql.query import RARE, SORTS, Query, conditions

__all__ = ["Row", "contar", "explain", "listar"]


class Row(NamedTuple):
    """One asset of a list: its document (JSON) and its place in the order."""

    document: str
    key: str
    numero: int


_STRETCH = 5000  # rows a page may be looked for along the index of its sort: a few milliseconds
_DETOUR = {"bigint": "p.{} + 0", "text": "p.{} || ''", "numeric": "p.{} + 0", "date": "p.{} + 0"}


def _clustered(query: Query) -> bool:
    """Whether matches may lie together somewhere in the order, where the planner expects them spread evenly.

    Words, a local, an agente go with prices and names: a page that walks the index of its sort may pass the whole
    table before the first match. Of the few-valued filters the planner's statistics know the pairs, not the rest.
    """
    conditions = query.filters.keys() | ({"setor_id"} if query.setores is not None else set())
    return bool(query.q) or len(conditions) > 2 or not RARE.isdisjoint(conditions)


def _beyond_key(query: Query) -> tuple[list[str], list[Any]]:
    if query.after is None:
        return [], []
    column, type_ = SORTS[query.sort]
    compare = "<" if query.descending else ">"
    if column == "numero":
        return [f"p.numero {compare} %s"], [query.after[1]]
    return [f"(p.{column}, p.numero) {compare} (%s::{type_}, %s)"], list(query.after)


def _page(query: Query, source: str, where: list[str], inside: str, sort: str) -> str:
    # The limit is written out: as a parameter its size is unknown to a plan made once, which then looks dearer than
    # planning anew each time, and that was measured to double the cost of a page.
    condition = f"where {' and '.join(where)}" if where else ""
    column = SORTS[query.sort][0]
    document = WHOLE if query.whole else SHORT
    return f"""select {document}, p.{column}::text, p.numero
        from (select * from {source} p {condition} order by {inside} limit {query.limit:d}) p {JOINS} order by {sort}"""


def _order_by(query: Query) -> str:
    column = SORTS[query.sort][0]
    direction = "desc" if query.descending else "asc"
    return ", ".join(f"p.{c} {direction}" for c in dict.fromkeys((column, "numero")))


def _sql_of_list(query: Query) -> tuple[str, list[Any]]:
    """The page of `query`; where matches may lie together, by collecting them all and sorting them."""
    column, type_ = SORTS[query.sort]
    sort = inside = _order_by(query)
    if _clustered(query):
        # An expression that no index is sorted by, so that there is nothing to walk.
        direction = "desc" if query.descending else "asc"
        inside = f"({_DETOUR[type_].format(column)}) {direction}, p.numero {direction}"
    where, values = conditions(query)
    beyond, key = _beyond_key(query)
    return _page(query, "patrimonio", where + beyond, inside, sort), [*values, *key]


def _sql_of_stretch(query: Query) -> tuple[str, list[Any]]:
    """The page of `query`, looked for among the next `_STRETCH` rows of the order only: full pages are right."""
    sort = _order_by(query)
    where, values = conditions(query)
    beyond, key = _beyond_key(query)
    setor = query.filters.get("setor_id")
    if setor is None and query.setores is not None and len(query.setores) == 1:
        setor = query.setores[0]
    if setor is not None:
        beyond.append("p.setor_id = %s")
        key.append(setor)
    condition = f"where {' and '.join(beyond)}" if beyond else ""
    stretch = f"(select * from patrimonio p {condition} order by {sort} limit {_STRETCH})"
    return _page(query, stretch, where, sort, sort), [*key, *values]


async def listar(conn: AsyncConnection[Any], query: Query) -> list[Row]:
    """At most `query.limit` assets, in order."""
    if _clustered(query) and query.limit <= _STRETCH // 10:
        rows = await _read(conn, *_sql_of_stretch(query), prepare=False)
        if len(rows) == query.limit:
            return rows
    # The plain walk is planned once; what filters is planned for its values, whose frequency decides the plan.
    stable = not query.filters and not query.q and query.setores is None
    return await _read(conn, *_sql_of_list(query), prepare=None if stable else False)


async def _read(conn: AsyncConnection[Any], sql: str, values: list[Any], prepare: bool | None) -> list[Row]:
    cursor = await conn.execute(sql, values, prepare=prepare)
    return list(map(Row._make, await cursor.fetchall()))


async def explain(conn: AsyncConnection[Any], query: Query) -> list[dict[str, Any]]:
    """The plans (as EXPLAIN's JSON has them) of the statements `listar` may run, in their order."""
    parts = [_sql_of_stretch(query)] if _clustered(query) else []
    plans = []
    for sql, values in [*parts, _sql_of_list(query)]:
        row = await (await conn.execute(f"explain (format json) {sql}", values, prepare=False)).fetchone()
        assert row is not None
        plans.append(row[0][0]["Plan"])
    return plans


async def contar(conn: AsyncConnection[Any], query: Query, ceiling: int = 1000) -> int:
    """How many assets match, counting no further than `ceiling` + 1."""
    where, values = conditions(query)
    condition = f"where {' and '.join(where)}" if where else ""
    sql = f"select count(*) from (select from patrimonio p {condition} limit %s) p"
    row = await (await conn.execute(sql, [*values, ceiling + 1], prepare=False)).fetchone()
    return int(row[0]) if row else 0
