"""The registers assets refer to: setores, locais, agentes, classes. Four tables, one way to keep them.

Promises: `TABLES` says what each register holds; every change carries the version it was made from
(optimistic locking) and is audited in the same transaction. Removing what something refers to fails by
foreign key. A local keeps its setor for life, because assets refer to both together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sispat.cadastros.fields import ENTITIES

__all__ = [
    "TABLES", "Option", "Table", "agentes_chamados", "atualizar", "em_uso", "excluir", "inserir", "listar", "nomes", "obter",
    "opcoes",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """One register: its table, and how it is listed."""

    name: str
    sort: str
    searched: str  # SQL text searched by `q`
    setor: str | None = None  # the column that ties a row to a setor, where one does
    label: str = "nome"  # SQL text by which people tell its rows apart when they choose one

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns people type."""
        return ENTITIES[self.name].columns


TABLES = {
    "setor": Table("setor", "codigo", "codigo || ' ' || nome", setor="id", label="codigo || ' · ' || nome"),
    "local": Table("local", "nome", "nome", setor="setor_id"),
    "agente": Table("agente", "nome", "nome || ' ' || matricula", "setor_id", "nome || ' (' || matricula || ')'"),
    "classe": Table("classe", "conta", "conta || ' ' || nome"),
}


async def listar(
    conn: AsyncConnection[Any],
    table: Table,
    *,
    setores: Sequence[UUID] | None = None,
    setor_id: UUID | None = None,
    q: str = "",
    active: bool = False,
    after: tuple[str, UUID] | None = None,
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """Rows in order, at most `limit`, from `after` (what they are sorted by, id) on; and how many there are in all.

    Within `setores` where given, of one setor, matching `q`, active only.
    """
    where, values = ["true"], list[Any]()
    if table.setor and setores is not None:
        where.append(f"{table.setor} = any(%s)")
        values.append(list(setores))
    if table.setor and setor_id is not None:
        where.append(f"{table.setor} = %s")
        values.append(setor_id)
    if q:
        where.append(f"strpos(sem_acento({table.searched}), sem_acento(%s)) > 0")
        values.append(q)
    if active:
        where.append("ativo")
    counted = f"select count(*) as total from {table.name} where {' and '.join(where)}"
    beyond = "" if after is None else f"and ({table.sort}, id) > (%s, %s)"
    sql = f"""select id, {", ".join(table.columns)}, versao from {table.name}
              where {" and ".join(where)} {beyond} order by {table.sort}, id limit %s"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        total = await (await cursor.execute(counted, values)).fetchone()
        rows = await (await cursor.execute(sql, [*values, *(after or ()), limit])).fetchall()
    return rows, total["total"] if total else 0


async def obter(
    conn: AsyncConnection[Any],
    table: Table,
    id_: UUID,
    *,
    setores: Sequence[UUID] | None = None,
    lock: bool = False,
) -> dict[str, Any] | None:
    """One row within reach, or None; with `lock` locked until the transaction ends."""
    reach = f"and {table.setor} = any(%s)" if table.setor and setores is not None else ""
    values: list[Any] = [id_, list(setores)] if reach and setores is not None else [id_]
    sql = f"""select id, {", ".join(table.columns)}, versao, criado_em, atualizado_em from {table.name}
              where id = %s {reach} {"for no key update" if lock else ""}"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(sql, values)).fetchone()


async def inserir(conn: AsyncConnection[Any], table: Table, data: Mapping[str, Any]) -> UUID:
    """Insert one row; its id."""
    marks = ", ".join(["%s"] * len(table.columns))
    sql = f"insert into {table.name} ({', '.join(table.columns)}) values ({marks}) returning id"
    row = await (await conn.execute(sql, [data[column] for column in table.columns])).fetchone()
    assert row is not None
    return UUID(str(row[0]))


async def atualizar(conn: AsyncConnection[Any], table: Table, id_: UUID, changes: Mapping[str, Any]) -> None:
    """Change columns of a locked row and count its version up."""
    assignments = ", ".join(f"{column} = %s" for column in changes)
    sql = f"update {table.name} set {assignments}, versao = versao + 1, atualizado_em = now() where id = %s"
    await conn.execute(sql, [*changes.values(), id_])


async def excluir(conn: AsyncConnection[Any], table: Table, id_: UUID) -> None:
    """Remove a locked row; psycopg's ForeignKeyViolation when something refers to it."""
    await conn.execute(f"delete from {table.name} where id = %s", [id_])


async def agentes_chamados(conn: AsyncConnection[Any], tsquery: str, most: int) -> list[UUID]:
    """Agentes by the words of name and matrícula; none where more than `most` match: that many say nothing."""
    sql = "select id from agente where palavras(nome || ' ' || matricula) @@ %s::tsquery limit %s"
    rows = await (await conn.execute(sql, [tsquery, most + 1])).fetchall()
    return [] if len(rows) > most else [row[0] for row in rows]


class Option(NamedTuple):
    """A row to choose; `setor` is empty where the row is of none."""

    id: UUID
    label: str
    setor: str
    ativo: bool


_LOOKED_AT = 1000
"""Rows that are looked at one by one before the index of words is asked: one letter among 200,000 rows finds half of them,
and sorting those takes long."""


async def opcoes(
    conn: AsyncConnection[Any],
    table: Table,
    *,
    setores: Sequence[UUID] | None,
    words: Sequence[str] = (),
    setor_id: UUID | None = None,
    id_: UUID | None = None,
    limit: int,
) -> list[Option]:
    """At most `limit` rows in use of which each word (letters and digits) begins a word of the row or of its setor.

    Those that begin with the words as they were typed come first; of the others, where many have the words, any.
    With `id_` that row alone, in use or not. The indexes of words, of the order and of beginnings (migrations 0005, 0008,
    0027) serve it.
    """
    where, values = ["ativo"], list[Any]()
    if id_ is not None:
        where, values = ["id = %s"], [id_]
    if table.setor and setores is not None:
        where.append(f"{table.setor} = any(%s)")
        values.append(list(setores))
    if table.setor and setor_id is not None:
        where.append(f"{table.setor} = %s")
        values.append(setor_id)
    if not words:
        return await _chosen(conn, table, table.name, where, values, table.sort, limit)
    beginning, typed = f'comeco({table.searched}) collate "C"', " ".join(words)
    between = [f"{beginning} >= %s", f"{beginning} < %s"]  # "~" comes after every letter, digit and space
    found = await _chosen(conn, table, table.name, [*where, *between], [*values, typed, typed + "~"], beginning, limit)
    if len(found) == limit:
        return found
    holds, sought = ["id <> all(%s)"], list[Any]([[row.id for row in found]])
    for word in words:
        ways = [f"palavras({table.searched}) @@ %s::tsquery"]
        if table.setor == "setor_id":
            setor = f"select s.id from setor s where palavras({_SEARCHED_OF_SETOR}) @@ %s::tsquery"
            ways.append(f"setor_id = any(array({setor}))")
        holds.append(f"({' or '.join(ways)})")
        sought += [f"'{word}':*"] * len(ways)
    lacking = limit - len(found)
    some = f"(select * from {table.name} where {' and '.join(where)} limit {_LOOKED_AT:d})"
    more = await _chosen(conn, table, some, holds, [*values, *sought], table.sort, lacking)
    if len(more) < lacking:
        # Few have the words: found by their index and sorted. Whoever walked the order instead would pass every row on the
        # way to names that begin with V. An expression that no index is sorted by leaves nothing to walk.
        order = f"{table.sort} || ''"
        more = await _chosen(conn, table, table.name, [*where, *holds], [*values, *sought], order, lacking)
    return found + more


async def _chosen(
    conn: AsyncConnection[Any],
    table: Table,
    source: str,
    where: Sequence[str],
    values: Sequence[Any],
    order: str,
    limit: int,
) -> list[Option]:
    own_setor = "(select s.codigo || ' · ' || s.nome from setor s where s.id = r.setor_id)"
    sql = f"""select id, {table.label}, {own_setor if table.setor == "setor_id" else "''"}, ativo
              from {source} r where {" and ".join(where)} order by {order}, id limit {limit:d}"""
    # Planned for its words, whose frequency decides whether their index or that of the setores comes first.
    cursor = await conn.execute(sql, values, prepare=False)
    return [Option(*row) for row in await cursor.fetchall()]


_SEARCHED_OF_SETOR = "s.codigo || ' ' || s.nome"
_NAMES = """
    select id, codigo || ' · ' || nome from setor where id = any(%(ids)s)
    union all select id, nome from local where id = any(%(ids)s)
    union all select id, nome from agente where id = any(%(ids)s)
    union all select id, nome from classe where id = any(%(ids)s)"""


async def nomes(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, str]:
    """What the given rows are called, whichever register holds them; unknown ids are left out."""
    return dict(await (await conn.execute(_NAMES, {"ids": list(ids)})).fetchall())


# What a spreadsheet may call a record, beside its name.
_CODES = {"setor": "codigo", "local": "''", "agente": "matricula", "classe": "conta"}


async def em_uso(conn: AsyncConnection[Any], entity: str) -> list[tuple[UUID, str, str, UUID | None]]:
    """The records of a register that are in use: id, code, name, and the setor of one that has one."""
    setor = "setor_id" if entity == "local" else "null::uuid"
    cursor = await conn.execute(f"select id, {_CODES[entity]}, nome, {setor} from {TABLES[entity].name} where ativo")
    return await cursor.fetchall()
