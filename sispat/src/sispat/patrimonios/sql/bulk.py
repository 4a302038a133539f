"""Many different assets at once: staged in a temporary table by COPY, then made or changed in sets.

Promises: what is made has numbers that were reserved before, in a transaction of its own, so that who registers an asset
meanwhile waits for nobody; each asset made or changed has its audit record from the same statement. What is to be made is
staged one set at a time. What the sets did is in `lote_gravado` until the commit: id, version, and what was changed (null:
it was made).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from sispat.kernel.audit import Author
from sispat.patrimonios.fields import PATRIMONIO

__all__ = [
    "AT_ONCE", "OWN_NUMBERS", "Change", "New", "change_staged", "make_staged", "records", "reserve", "stage", "stage_changes",
    "stage_new",
]  # fmt: skip

AT_ONCE = 2000  # assets of one statement: about a second
OWN_NUMBERS = 10**9
"""Plate numbers from here on are of another scheme, such as 202501000001; our counter never gets there, nor follows them."""

_COLUMNS = ", ".join(PATRIMONIO.columns)


class New(NamedTuple):
    """An asset to be made: its place in the order, its plate number (None: it has none yet), its columns."""

    place: int
    number: int | None
    columns: Mapping[str, Any]


class Change(NamedTuple):
    """What is to be changed of the asset `id`, which was read at `version`."""

    place: int
    id: UUID
    version: int
    columns: Mapping[str, Any]


async def records(conn: AsyncConnection[Any], numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The assets with these plate numbers: id, numero, versao, situacao and the editable columns."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"select id, numero, versao, situacao, {_COLUMNS} from patrimonio where numero = any(%s)", [list(numbers)]
        )
        return {row["numero"]: row for row in await cursor.fetchall()}


async def reserve(conn: AsyncConnection[Any], count: int, highest: int) -> int:
    """The first of `count` plate numbers that nobody else gets, above `highest`, which nobody else gets either."""
    cursor = await conn.execute(
        """update numeracao set ultimo = greatest(ultimo, %s) + %s where escopo = 'patrimonio' and exercicio = 0
           returning ultimo""",
        [highest, count],
    )
    row: Any = await cursor.fetchone()
    return int(row[0]) - count + 1


_STAGING = (
    f"create temporary table lote_novo on commit drop as select 0 as lugar, numero, {_COLUMNS} from patrimonio limit 0",
    "create temporary table lote_mudado (lugar int, id uuid, versao int, mudancas jsonb) on commit drop",
    "create temporary table lote_gravado (id uuid, versao int, antes jsonb) on commit drop",
)


async def stage(conn: AsyncConnection[Any]) -> None:
    """Make the temporary tables."""
    for statement in _STAGING:
        await conn.execute(statement, prepare=False)  # their tables are other ones the next time


async def stage_new(conn: AsyncConnection[Any], new: Sequence[New]) -> None:
    """Stage a set of assets to be made, all with their numbers, instead of the one before."""
    await conn.execute("truncate lote_novo")
    async with (
        conn.cursor() as cursor,
        cursor.copy(f"copy lote_novo (lugar, numero, {_COLUMNS}) from stdin") as copy,
    ):
        for each in new:
            await copy.write_row((each.place, each.number, *(each.columns[name] for name in PATRIMONIO.columns)))


async def stage_changes(conn: AsyncConnection[Any], changes: Sequence[Change]) -> None:
    """Stage changes of assets."""
    async with (
        conn.cursor() as cursor,
        cursor.copy("copy lote_mudado (lugar, id, versao, mudancas) from stdin") as copy,
    ):
        for each in changes:
            columns = {name: value if value is None else str(value) for name, value in each.columns.items()}
            await copy.write_row((each.place, each.id, each.version, Jsonb(columns)))


_MAKE = f"""
with p as (
    insert into patrimonio (numero, {_COLUMNS}) select numero, {_COLUMNS} from lote_novo order by lugar returning *
), e as (
    insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, depois)
    select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', p.id, 'importar', to_jsonb(p) - 'busca' - 'ordem' from p
)
insert into lote_gravado select id, versao, null from p"""

# A NULL in `mudancas` empties the column, hence not `jsonb_strip_nulls`; what is not in it stays as it is.
_CHANGE = f"""
with lote as (
    select * from lote_mudado where lugar > %(after)s order by lugar limit {AT_ONCE}
), antes as (
    select p.id, (select jsonb_object_agg(k, to_jsonb(p) -> k) from jsonb_object_keys(l.mudancas) k) as eram, l.mudancas
    from patrimonio p join lote l on l.id = p.id where p.versao = l.versao order by p.id for no key update of p
), novos as (
    update patrimonio p set ({_COLUMNS}) = (select {_COLUMNS} from jsonb_populate_record(p, a.mudancas)),
        versao = p.versao + 1, atualizado_em = now()
    from antes a where a.id = p.id returning p.id, p.versao
), e as (
    insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
    select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', id, 'importar', eram, mudancas from antes
), g as (
    insert into lote_gravado select n.id, n.versao, a.eram from novos n join antes a using (id)
)
select max(lugar), count(*), (select count(*) from antes) from lote"""


async def make_staged(conn: AsyncConnection[Any], author: Author) -> None:
    """Make the set that is staged."""
    await conn.execute(_MAKE, author._asdict())


async def change_staged(conn: AsyncConnection[Any], author: Author) -> AsyncIterator[tuple[int, int]]:
    """Change what is staged, set after set; how many each set had, and how many of them were still as they were read."""
    after: int | None = -1
    while after is not None:
        row: Any = await (await conn.execute(_CHANGE, {"after": after, **author._asdict()})).fetchone()
        after = row[0]
        if after is not None:
            yield row[1], row[2]
