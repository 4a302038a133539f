"""Numbered records in the database: the JSON document of one, lists walked by key, what is written to all of them alike.

Promises: a page costs about the same wherever it lies. How: each setor within reach is walked along the index of its column as
far as the page may need, and what was found is merged; what matches a few rows only, as the planner's statistics have it, is
collected by the index of the conditions instead. The indexes stand in the migrations. The columns are those of our tables of
fields; what people typed is always a parameter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sispat.kernel.fields import Entity, FieldSpec
from sispat.kernel.json_sql import json_object, member, nullable, raw
from sispat.kernel.paging import KeyType, Place

__all__ = [
    "Condition", "Document", "Query", "Row", "Sums", "Table", "atualizar", "contar", "document_of", "explain", "inserir",
    "ler", "listar", "numeros", "somar", "travar",
]  # fmt: skip

# How a record appears in the document of what refers to it, of its row `{0}`.
_REFERENCES = {
    "setor": "{0}.referencia",
    "local": "{0}.referencia",
    "agente": "{0}.referencia",
    "classe": "{0}.referencia",
    "usuario": """'{{"id":"' || {0}.id || '","nome":' || json_texto({0}.nome) || '}}'""",
    "patrimonio": """'{{"id":"' || {0}.id || '","numero":' || {0}.numero || ',"nome":' || json_texto({0}.descricao) || '}}'""",
    "imovel": """'{{"id":"' || {0}.id || '","numero":' || {0}.numero || ',"nome":' || json_texto({0}.nome) || '}}'""",
    "comissao": """'{{"id":"' || {0}.id || '","numero":' || {0}.numero || ',"nome":' || json_texto({0}.portaria) || '}}'""",
    "inventario": """'{{"id":"' || {0}.id || '","numero":' || {0}.numero || ',"nome":' || json_texto({0}.portaria) || '}}'""",
}


class Document(NamedTuple):
    """The SQL of a document of `m`, a row, and of the joins that it needs."""

    json: str
    joins: str


def document_of(fields: Mapping[str, FieldSpec], own: Mapping[str, str] = MappingProxyType({})) -> Document:
    """The document with all of `fields`; `own` is the SQL of JSON of those that are no column."""
    members, joins = [], []
    for spec in fields.values():
        if spec.name in own:
            members.append(raw(spec.name, own[spec.name]))
        elif spec.ui.refers_to in _REFERENCES:
            row = f"r_{spec.member}"
            reference = _REFERENCES[spec.ui.refers_to].format(row)
            members.append(raw(spec.member, f"coalesce({reference}, 'null')" if spec.nullable else reference))
            joins.append(
                f"{'left ' if spec.nullable else ''}join {spec.ui.refers_to} {row} on {row}.id = m.{spec.name}"
            )
        elif spec.kind == "cpf_cnpj":
            members.append(nullable(spec.name, _masked(f"m.{spec.name}")))
        else:
            members.append(member(spec, "m", {}))
    return Document(json_object(*members), " ".join(joins))


def _masked(column: str) -> str:
    """A CPF in part, as kernel.brazil shows it: who deals with movements does not need the whole. A CNPJ is public."""
    return f"""case when length({column}) = 11
        then '***.' || substr({column}, 4, 3) || '.' || substr({column}, 7, 3) || '-**' else {column} end"""


@dataclass(frozen=True, eq=False)
class Table:
    """Where records of a kind lie: `reach` are the columns with the setores whose people see a row; none: everybody does.

    `shared`: so does everybody of a row that names no setor in any of them. `sorts` are the orders that are offered, name ->
    (column, its type): by number, which breaks ties, and others. `own` is the SQL of those fields that are no column.
    `within`: of a column, the values within which indexes have each order but that by number, of the city and of a setor.
    """

    entity: Entity
    reach: tuple[str, ...] = ("setor_id",)
    sorts: Mapping[str, tuple[str, KeyType]] = field(default_factory=lambda: {"numero": ("numero", "bigint")})
    own: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False
    within: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the table: that of the entity."""
        return self.entity.name

    def is_in_order(self, query: Query) -> bool:
        """Whether an index has what `query` finds, or little more, in its order."""
        known = [(f"m.{column} = %s", value) for column, values in self.within.items() for value in values]
        return query.sort != "numero" and any(condition in known for condition in query.conditions)

    @cached_property
    def document(self) -> Document:
        """Of a row."""
        return document_of(self.entity.fields, self.own)


class Row(NamedTuple):
    """A record of a list: its document (JSON) and its place."""

    document: str
    key: str
    numero: int

    @property
    def place(self) -> Place:
        """Where the next page goes on."""
        return Place(self.key, self.numero)


Condition = tuple[str, Any]
"""Over `m`, a row; with its one value."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: `setores` None is the whole city.

    `few`: what matches may lie far from where the order begins, so that it is collected by an index of the conditions and
    sorted; None: the planner's statistics say whether it does. `reach` replaces the columns of the table that say whose it is.
    """

    setores: Sequence[UUID] | None
    conditions: Sequence[Condition] = ()
    after: Place | None = None
    limit: int = 50
    few: bool | None = False
    reach: tuple[str, ...] = ()
    sort: str = "numero"
    descending: bool = True


_FEW = 4000  # matches that are collected and sorted: some milliseconds
_STRETCH = 20_000  # rows a page may be looked for along the index of its sort: some 10 ms
_DETOUR: dict[KeyType, str] = {"bigint": "m.{} + 0", "text": "m.{} || ''", "numeric": "m.{} + 0"}


def _order_by(table: Table, query: Query, *, detour: bool = False) -> str:
    """The order of `query`; with `detour` written so that no index is sorted by it: nothing to walk, only to collect."""
    column, type_ = table.sorts[query.sort]
    direction = "desc" if query.descending else "asc"
    first = f"({_DETOUR[type_].format(column)})" if detour else f"m.{column}"
    return f"{first} {direction}" + ("" if column == "numero" else f", m.numero {direction}")


def _beyond(table: Table, query: Query) -> list[tuple[str, list[Any]]]:
    """The condition that a row comes after `query.after`."""
    if query.after is None:
        return []
    column, type_ = table.sorts[query.sort]
    compare = "<" if query.descending else ">"
    if column == "numero":
        return [(f"m.numero {compare} %s", [query.after.numero])]
    return [(f"(m.{column}, m.numero) {compare} (%s::{type_}, %s)", list(query.after))]


def _source(table: Table, query: Query, *, ordered: bool = True, stretch: bool = False) -> tuple[str, list[Any]]:
    """The SQL of the rows of `m` that `query` finds; `stretch`: among the next rows of the order only."""
    asked = [(sql, [value]) for sql, value in query.conditions]
    beyond = _beyond(table, query) if ordered else []
    # The limits are written out: see patrimonios.sql.listing.
    order = f"order by {_order_by(table, query, detour=bool(query.few))}" if ordered else ""
    tail = f"{order} limit {query.limit:d}"
    reach = query.reach or table.reach
    if query.setores is None or not reach:
        if stretch:
            near = f"(select * from {table.name} m {_where(beyond)} {order} limit {_STRETCH:d})"
            return f"select m.* from {near} m {_where(asked)} {tail}", _values([*beyond, *asked])
        return f"select m.* from {table.name} m {_where([*asked, *beyond])} {tail}", _values([*asked, *beyond])
    found = [
        f"""(select found.* from unnest(%s::uuid[]) of_setor (id) cross join lateral (
                select m.* from {table.name} m {_where([(f"m.{column} = of_setor.id", []), *asked, *beyond])} {tail}) found)"""
        for column in reach
    ]
    values = [list(query.setores), *_values([*asked, *beyond])] * len(found)
    if table.shared:
        everybodys = [*((f"m.{column} is null", []) for column in reach), *asked, *beyond]
        found.append(f"(select m.* from {table.name} m {_where(everybodys)} {tail})")
        values += _values(everybodys)
    return f"select m.* from ({' union '.join(found)}) m {tail}", values


def _values(conditions: Sequence[tuple[str, list[Any]]]) -> list[Any]:
    return [value for _, given in conditions for value in given]


def _where(conditions: Sequence[tuple[str, list[Any]]]) -> str:
    return f"where {' and '.join(sql for sql, _ in conditions)}" if conditions else ""


def _sql_of_list(table: Table, query: Query, *, stretch: bool = False) -> tuple[str, list[Any]]:
    source, values = _source(table, query, stretch=stretch)
    document, column = table.document, table.sorts[query.sort][0]
    order = _order_by(table, query)
    return (
        f"select {document.json}, m.{column}::text, m.numero from ({source}) m {document.joins} order by {order}",
        values,
    )


async def listar(conn: AsyncConnection[Any], table: Table, query: Query) -> list[Row]:
    """At most `query.limit` records, in order."""
    rows: list[Row] = []
    for sql, values in await _ways(conn, table, query):
        rows = await _read(conn, sql, values)
        if len(rows) == query.limit:
            break  # a page that is full is right, whatever the statistics say
    return rows


async def _ways(conn: AsyncConnection[Any], table: Table, query: Query) -> list[tuple[str, list[Any]]]:
    """The statements that find the page of `query`: the last one surely, one before it where the page is full."""
    if query.few is not None or not query.conditions:
        return [_sql_of_list(table, replace(query, few=bool(query.few)))]
    collected = _sql_of_list(table, replace(query, few=True))
    if await _estimate(conn, table, query) <= _FEW:
        return [collected]
    walked = replace(query, few=False)
    if (query.setores is None or not table.reach) and not table.is_in_order(query):
        return [_sql_of_list(table, walked, stretch=True), collected]
    return [_sql_of_list(table, walked)]


async def _read(conn: AsyncConnection[Any], sql: str, values: list[Any]) -> list[Row]:
    return [Row(*row) for row in await (await conn.execute(sql, values, prepare=False)).fetchall()]


async def _estimate(conn: AsyncConnection[Any], table: Table, query: Query) -> int:
    """How many rows match, as the planner's statistics have it: a look into catalogues, not at rows."""
    sql = f"explain (format json) select from {table.name} m {_where([(sql, []) for sql, _ in query.conditions])}"
    row = await (await conn.execute(sql, [value for _, value in query.conditions], prepare=False)).fetchone()
    return 0 if row is None else int(row[0][0]["Plan"]["Plan Rows"])


async def explain(conn: AsyncConnection[Any], table: Table, query: Query) -> dict[str, Any]:
    """The plan (as EXPLAIN's JSON has it) of the statement that `listar` runs first."""
    sql, values = (await _ways(conn, table, query))[0]
    row = await (await conn.execute(f"explain (format json) {sql}", values, prepare=False)).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


async def contar(conn: AsyncConnection[Any], table: Table, query: Query) -> int:
    """How many records there are, counted no further than the limit of `query`."""
    source, values = _source(table, query, ordered=False)
    row = await (await conn.execute(f"select count(*) from ({source}) m", values, prepare=False)).fetchone()
    return int(row[0]) if row else 0


class Sums(NamedTuple):
    """How many records match, and the sums of columns over them."""

    number: int
    sums: tuple[Decimal, ...]


async def somar(conn: AsyncConnection[Any], table: Table, query: Query, columns: Sequence[str]) -> Sums:
    """Count and add up what matches, no further than the limit of `query`."""
    source, values = _source(table, query, ordered=False)
    asked = ", ".join(f"coalesce(sum(m.{column}), 0)" for column in columns)
    row = await (await conn.execute(f"select count(*), {asked} from ({source}) m", values, prepare=False)).fetchone()
    assert row is not None
    return Sums(row[0], tuple(row[1:]))


async def ler(conn: AsyncConnection[Any], table: Table, setores: Sequence[UUID] | None, id_: UUID) -> str | None:
    """The document (JSON) of one record within reach, or None."""
    document = table.document
    sql = f"select {document.json} from {table.name} m {document.joins} where m.id = %(id)s and {_within(table)}"
    row = await (await conn.execute(sql, {"id": id_, "setores": _list(setores)})).fetchone()
    return None if row is None else row[0]


def _within(table: Table) -> str:
    if not table.reach:
        return "true"
    within = "".join(f" or m.{column} = any(%(setores)s)" for column in table.reach)
    if table.shared:
        within += f" or ({' and '.join(f'm.{column} is null' for column in table.reach)})"
    return f"(%(setores)s::uuid[] is null{within})"


def _list(setores: Sequence[UUID] | None) -> list[UUID] | None:
    return None if setores is None else list(setores)


async def numeros(conn: AsyncConnection[Any], tables: Sequence[str], ids: Sequence[UUID]) -> dict[UUID, int]:
    """The numbers of the records among `ids`, in whichever of the tables they lie."""
    sql = " union all ".join(f"select id, numero from {name} where id = any(%(ids)s)" for name in tables)
    return dict(await (await conn.execute(sql, {"ids": list(ids)})).fetchall())


async def inserir(
    conn: AsyncConnection[Any], table: Table, shared: Mapping[str, Any], each: Sequence[Mapping[str, Any]]
) -> list[UUID]:
    """Insert a row for each of `each` with what they share; their ids."""
    columns = [*shared, *each[0]]
    marks = ", ".join(f"%({column})s" for column in columns)
    sql = f"insert into {table.name} ({', '.join(columns)}) values ({marks}) returning id"
    async with conn.cursor() as cursor:
        await cursor.executemany(sql, [{**shared, **own} for own in each], returning=True)
        return [row[0] async for made in cursor.results() for row in await made.fetchall()]


async def travar(
    conn: AsyncConnection[Any], table: Table, setores: Sequence[UUID] | None, id_: UUID
) -> dict[str, Any] | None:
    """Lock a row within reach until the transaction ends: of two who change it, the second sees what the first did."""
    sql = f"select m.* from {table.name} m where m.id = %(id)s and {_within(table)} for no key update"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, {"id": id_, "setores": _list(setores)})
        return await cursor.fetchone()


async def atualizar(conn: AsyncConnection[Any], table: Table, id_: UUID, changes: Mapping[str, Any]) -> None:
    """Change columns of a locked row and count its version up; the time of the change where the record shows one."""
    assignments = [f"{column} = %s" for column in changes]
    if "atualizado_em" in table.entity.fields:
        assignments.append("atualizado_em = now()")
    sql = f"update {table.name} set {', '.join(assignments)}, versao = versao + 1 where id = %s"
    await conn.execute(sql, [*changes.values(), id_])
