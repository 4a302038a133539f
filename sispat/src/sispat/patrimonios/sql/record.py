"""One asset: read whole, locked, created, changed.

Promises: a number is taken from `numeracao` in the statement that creates the asset and writes its audit
record: distinct, consecutive, and gone if that statement fails.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sispat.kernel import audit
from sispat.kernel.audit import Author
from sispat.patrimonios.fields import PATRIMONIO
from sispat.patrimonios.sql.document import JOINS, NET, WHOLE

__all__ = ["bloquear", "com_numero", "criar", "criar_juntos", "ficha", "garantias", "gravar", "liquidos", "numeros"]


async def ficha(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> str | None:
    """The whole document (JSON) of one asset within reach, or None."""
    reach = "" if setores is None else "and p.setor_id = any(%s)"
    values: list[Any] = [id_] if setores is None else [id_, list(setores)]
    cursor = await conn.execute(
        f"select {WHOLE} from patrimonio p {JOINS} where p.id = %s {reach}",
        values,
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def garantias(
    conn: AsyncConnection[Any], setores: Sequence[UUID] | None, since: dt.date, until: dt.date, limit: int
) -> list[dict[str, Any]]:
    """The assets within reach whose warranty ends between these days, both included: the first that end."""
    sql = """select id, numero, descricao, garantia_ate from patrimonio
             where garantia_ate between %s and %s and situacao <> 'baixado'
               and (%s::uuid[] is null or setor_id = any(%s))
             order by garantia_ate, numero limit %s"""
    within = None if setores is None else list(setores)
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, [since, until, within, within, limit])
        return await cursor.fetchall()


async def com_numero(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, numero: int) -> UUID | None:
    """The id of the asset within reach that carries this number, or None."""
    sql = "select id from patrimonio where numero = %s and (%s::uuid[] is null or setor_id = any(%s))"
    within = None if setores is None else list(setores)
    row = await (await conn.execute(sql, [numero, within, within])).fetchone()
    return None if row is None else row[0]


async def liquidos(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """What the assets among `ids` were worth at the end of the last closed month; those in none are left out."""
    cursor = await conn.execute(f"select p.id, {NET} from patrimonio p where p.id = any(%s)", [list(ids)])
    return {id_: net for id_, net in await cursor.fetchall() if net is not None}


async def numeros(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, int]:
    """The numbers of the assets among `ids`."""
    return dict(
        await (await conn.execute("select id, numero from patrimonio where id = any(%s)", [list(ids)])).fetchall()
    )


async def bloquear(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> dict[str, Any] | None:
    """The editable columns, situacao and versao of one asset within reach; its row is locked until the commit."""
    cursor = await conn.execute(
        f"select {', '.join(PATRIMONIO.columns)}, situacao, numero, versao from patrimonio where id = %s for no key update",
        [id_],
    )
    row = await cursor.fetchone()
    if row is None or cursor.description is None:
        return None
    record = dict(zip([column.name for column in cursor.description], row, strict=True))
    return record if setores is None or record["setor_id"] in setores else None


def _sql_of_creation(number: str, series: str, **others: str) -> str:
    """`others`: the SQL of columns that aren't the same for all of a lot."""
    values = [others.get(column, f"%({column})s") for column in PATRIMONIO.columns]
    return f"""
with n as (
    update numeracao set ultimo = ultimo + %(quantidade)s where escopo = 'patrimonio' and exercicio = 0
    returning ultimo
), p as (
    insert into patrimonio (numero, {", ".join(PATRIMONIO.columns)})
    select {number}, {", ".join(values)} from n {series}
    returning *
), e as (
    insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, depois)
    select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', p.id, 'criar', to_jsonb(p) - 'busca' - 'ordem' from p
)
select {WHOLE} from p {JOINS} order by p.numero"""


# Apart, because a series of unknown length makes PostgreSQL plan anew each time, which costs more than the insert.
_CREATE_ONE = _sql_of_creation("n.ultimo", "")
_CREATE_SEVERAL = _sql_of_creation(
    "n.ultimo - %(quantidade)s + i",
    ", generate_series(1, %(quantidade)s) i",
    numero_serie="coalesce((%(series)s::text[])[i], %(numero_serie)s)",
)


async def criar(
    conn: AsyncConnection[Any], data: Mapping[str, Any], quantidade: int, author: Author,
    series: Sequence[str] = (),
) -> list[str]:  # fmt: skip
    """Create `quantidade` equal assets with consecutive numbers and their audit records; their documents (JSON).

    `series` are their serial numbers, in order, where each piece has one.
    """
    statement = _CREATE_ONE if quantidade == 1 else _CREATE_SEVERAL
    values = {**data, "quantidade": quantidade, "series": list(series), **author._asdict()}
    cursor = await conn.execute(statement, values)
    return [row[0] for row in await cursor.fetchall()]


async def criar_juntos(conn: AsyncConnection[Any], rows: Sequence[tuple[Mapping[str, Any], Author]]) -> list[str]:
    """Create an asset for each (columns, author), in this order; their documents (JSON).

    One statement each, sent together: one wait for the network. The first that fails undoes what was before.
    """
    values = [{**data, "quantidade": 1, **author._asdict()} for data, author in rows]
    async with conn.cursor() as cursor:
        await cursor.executemany(_CREATE_ONE, values, returning=True)
        return [row[0] async for made in cursor.results() for row in await made.fetchall()]


async def gravar(
    conn: AsyncConnection[Any], id_: UUID, before: Mapping[str, Any], changes: Mapping[str, Any],
    action: str, author: Author,
) -> None:  # fmt: skip
    """Change the given columns of a locked asset, count its version up, and write what changed into the audit."""
    assignments = ", ".join(f"{column} = %s" for column in changes)
    await conn.execute(
        f"update patrimonio set {assignments}, versao = versao + 1, atualizado_em = now() where id = %s",
        [*changes.values(), id_],
        prepare=False,
    )
    await audit.record(
        conn,
        **author._asdict(),
        entidade="patrimonio",
        entidade_id=id_,
        acao=action,
        antes={column: before[column] for column in changes},
        depois=changes,
    )
