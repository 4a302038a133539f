"""Pages of assets, walked by key.

Promises: a page costs about the same wherever it lies and whatever it is sorted by. How: the indexes of the
schema serve the sorts. Where matches may lie together, few are collected and sorted; of many, a page is looked for a
little way along its sort, then as far along it as a sample of the table says that it reaches; of words, by the index that
knows which part of the order an asset lies in. A page that is full is right, whatever the estimates were; one that is not
full is looked for among everything that matches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from sispat.patrimonios.sql.document import JOINS, SHORT, WHOLE
from sispat.patrimonios.sql.parts import SORTS_WITH_PARTS, Key, at_ends, within
from sispat.patrimonios.sql.query import RARE, SORTS, Query, conditions, looks_at_codes

__all__ = ["Row", "contar", "explain", "listar"]


class Row(NamedTuple):
    """One asset of a list: its document (JSON) and its place in the order."""

    document: str
    key: str
    numero: int


_FEW = 300  # matches, as the planner estimates them, that are collected at once: a millisecond, where it is right
_STRETCH = 3000  # rows a page may be looked for along the index of its sort: a few milliseconds
_SAMPLE = 1  # percent of the table's pages: of a million assets 10,000, which takes as long
# Of the sample's hits, until which one a page is looked for: the 10th stands for some 1,000 matches; where those of the
# sample lay on one page of the table (one purchase), that was too few, and the 100th is tried before everything.
_HITS = (10, 100)
_DETOUR = {"bigint": "p.{} + 0", "text": "p.{} || ''", "numeric": "p.{} + 0", "date": "p.{} + 0"}


def _clustered(query: Query) -> bool:
    """Whether matches may lie together somewhere in the order, where the planner expects them spread evenly.

    Words, a local, an agente go with prices and names: a page that walks the index of its sort may pass the whole
    table before the first match. Of the few-valued filters the planner's statistics know the pairs, not the rest.
    """
    conditions = query.filters.keys() | ({"setor_id"} if query.setores is not None else set())
    return bool(query.q) or len(conditions) > 2 or not RARE.isdisjoint(conditions)


def _beyond_key(query: Query, or_there: str = "") -> tuple[list[str], list[Any]]:
    """The condition that an asset comes after `query.after`; `or_there` is "=" where that one itself counts too."""
    if query.after is None:
        return [], []
    column, type_ = SORTS[query.sort]
    compare = ("<" if query.descending else ">") + or_there
    if column == "numero":
        return [f"p.numero {compare} %s"], [query.after[1]]
    return [f"(p.{column}, p.numero) {compare} (%s::{type_}, %s)"], list(query.after)


def _between_keys(query: Query, until: Key | None) -> tuple[list[str], list[Any]]:
    """The conditions that an asset comes after `query.after`, and not after `until`."""
    beyond, key = _beyond_key(query)
    if until is None:
        return beyond, key
    reach, last = _beyond_key(replace(query, after=until, descending=not query.descending), "=")
    return beyond + reach, key + last


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


def _detour(query: Query) -> str:
    """The order of `query`, written so that no index is sorted by it: there is nothing to walk, only to collect."""
    column, type_ = SORTS[query.sort]
    direction = "desc" if query.descending else "asc"
    return f"({_DETOUR[type_].format(column)}) {direction}, p.numero {direction}"


def _sql_of_list(query: Query, until: Key | None = None) -> tuple[str, list[Any]]:
    """The page of `query`; where matches may lie together, by collecting them, those up to `until`, and sorting them."""
    sort = _order_by(query)
    where, values = conditions(query)
    beyond, key = _between_keys(query, until)
    inside = _detour(query) if _clustered(query) else sort
    return _page(query, "patrimonio", where + beyond, inside, sort), [*values, *key]


def _has_parts(query: Query) -> bool:
    """Whether one index answers for the words of `query` and for a part of its order: not for codes, agentes, what is rare."""
    words_alone = bool(query.q) and not query.agentes and not looks_at_codes(query)
    return words_alone and query.sort in SORTS_WITH_PARTS and RARE.isdisjoint(query.filters)


def _sql_of_words(query: Query, until: Key | None = None) -> tuple[str, list[Any]]:
    """The page of `query` up to `until`, by collecting what matches between its ends, without looking at what lies elsewhere.

    What lies in the parts between those of both ends is found by the index of words alone; within the parts of the ends,
    matches are those that the index of the order finds, too.
    """
    where, values = conditions(query)
    beyond, key = _between_keys(query, until)
    # Not for an index: it would be read from there to its end, most of it for nothing; the parts bound what is looked at.
    certain = [f"({condition}) is true" for condition in beyond]
    low, high = (until, query.after) if query.descending else (query.after, until)
    inside, sort = _detour(query), _order_by(query)
    sources, all_values = [], list[Any]()
    for part in (within(query.sort, low, high), at_ends(query.sort, low, high)):
        condition = " and ".join([*where, part.sql, *certain])
        sources.append(f"(select * from patrimonio p where {condition} order by {inside} limit {query.limit:d})")
        all_values += [*values, *part.values, *key]
    return _page(query, f"({' union all '.join(sources)})", [], inside, sort), all_values


def _sql_of_collection(query: Query, until: Key | None = None) -> tuple[str, list[Any]]:
    """The page of `query` by collecting what matches, up to `until`."""
    if _has_parts(query) and (until is not None or query.after is not None):
        return _sql_of_words(query, until)
    return _sql_of_list(query, until)


def _sql_of_sample(query: Query) -> tuple[str, list[Any]]:
    """Places of the first matches of `query` in a sample of the table, the same one each time."""
    where, values = conditions(query)
    beyond, key = _beyond_key(query)
    sql = f"""select p.{SORTS[query.sort][0]}::text, p.numero from patrimonio p tablesample system ({_SAMPLE}) repeatable (1)
        where {" and ".join(where + beyond)} order by {_order_by(query)} limit {_HITS[-1]}"""
    return sql, [*values, *key]


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
    if _clustered(query):
        rows = await _full_page(conn, query)
        if rows is not None:
            return rows
    # The plain walk is planned once; what filters is planned for its values, whose frequency decides the plan.
    stable = not query.filters and not query.q and query.setores is None
    return await _read(conn, *_sql_of_collection(query), prepare=None if stable else False)


async def _full_page(conn: AsyncConnection[Any], query: Query) -> list[Row] | None:
    """The page of `query` where it is full and found in a part of its order; None where all matches are to be collected."""
    # Codes are made of five columns for each row that is looked at, which costs more than to collect what the index finds.
    if query.limit > _STRETCH // 10 or looks_at_codes(query) or await _estimate(conn, query) <= _FEW:
        return None
    rows = await _read(conn, *_sql_of_stretch(query), prepare=False)
    if len(rows) < query.limit:
        for until in await _reaches(conn, query):
            rows = await _read(conn, *_sql_of_collection(query, until), prepare=False)
            if len(rows) == query.limit:
                break
    return rows if len(rows) == query.limit else None


async def _estimate(conn: AsyncConnection[Any], query: Query) -> int:
    """How many assets match, as the planner's statistics have it: a look into catalogues, not at assets."""
    where, values = conditions(query)
    sql = f"explain (format json) select from patrimonio p where {' and '.join(where)}"
    row = await (await conn.execute(sql, values, prepare=False)).fetchone()
    return 0 if row is None else int(row[0][0]["Plan"]["Plan Rows"])


async def _reaches(conn: AsyncConnection[Any], query: Query) -> list[Key]:
    """How far a page of `query` may reach, nearest first; nothing where the sample has too few matches to tell."""
    sql, values = _sql_of_sample(query)
    found = await (await conn.execute(sql, values, prepare=False)).fetchall()
    return [(found[hits - 1][0], found[hits - 1][1]) for hits in _HITS if len(found) >= hits]


async def _read(conn: AsyncConnection[Any], sql: str, values: list[Any], prepare: bool | None) -> list[Row]:
    cursor = await conn.execute(sql, values, prepare=prepare)
    return list(map(Row._make, await cursor.fetchall()))


async def explain(conn: AsyncConnection[Any], query: Query) -> list[dict[str, Any]]:
    """The plans (as EXPLAIN's JSON has them) of the statements `listar` may run, in their order."""
    parts = [_sql_of_collection(query)]
    if _clustered(query):
        reaches = [_sql_of_collection(query, until) for until in await _reaches(conn, query)]
        parts[:0] = [_sql_of_stretch(query), *reaches]
    plans = []
    for sql, values in parts:
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
