"""The rows of people's mails: what each chose, what they were told, who is sending just now.

Promises: a mail is claimed by one process at a time, over all machines, with a lease; times come from whoever asks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

__all__ = ["Person", "choose", "claim", "done", "enter", "one", "people", "refused", "sent"]


class Person(NamedTuple):
    """Who may be told something, what they chose, and what they were told."""

    usuario_id: UUID
    quando: str
    idioma: str | None
    resumo_de: dt.datetime
    ditos: Sequence[UUID]
    enviado_em: dt.datetime | None
    falhas: int
    falha: str


_COLUMNS = "a.usuario_id, a.quando, a.idioma, a.resumo_de, a.ditos, a.enviado_em, a.falhas, a.falha"


async def enter(conn: AsyncConnection[Any], now: dt.datetime) -> None:
    """Give everybody who can sign in a row: their first digest is the next one after `now`."""
    await conn.execute(
        """insert into aviso (usuario_id, resumo_de) select u.id, %s from usuario u
           where entra(u.ativo, u.acesso_fim) and not u.integracao
             and not exists (select from aviso a where a.usuario_id = u.id)
           on conflict do nothing""",
        [now],
    )


async def people(conn: AsyncConnection[Any], now: dt.datetime) -> list[Person]:
    """Everybody who wants mails and is not being sent one: who was refused longest ago comes last."""
    async with conn.cursor(row_factory=class_row(Person)) as cursor:
        await cursor.execute(
            f"""select {_COLUMNS} from aviso a join usuario u on u.id = a.usuario_id
               where entra(u.ativo, u.acesso_fim) and not u.integracao and a.quando <> 'nunca'
                 and (a.tentar_em is null or a.tentar_em <= %s)
               order by a.tentar_em nulls first, a.usuario_id""",
            [now],
        )
        return await cursor.fetchall()


async def one(conn: AsyncConnection[Any], usuario_id: UUID) -> Person | None:
    """What is kept of one person, or None: nobody looked yet."""
    async with conn.cursor(row_factory=class_row(Person)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from aviso a where a.usuario_id = %s", [usuario_id])
        return await cursor.fetchone()


async def choose(conn: AsyncConnection[Any], usuario_id: UUID, quando: str, idioma: str, now: dt.datetime) -> None:
    """Keep what a person chose; what was refused is tried again at once."""
    await conn.execute(
        """insert into aviso (usuario_id, quando, idioma, resumo_de) values (%(who)s, %(quando)s, %(idioma)s, %(now)s)
           on conflict (usuario_id) do update
           set quando = excluded.quando, idioma = excluded.idioma, falhas = 0, falha = ''""",
        {"who": usuario_id, "quando": quando, "idioma": idioma, "now": now},
    )


async def claim(conn: AsyncConnection[Any], found: Person, now: dt.datetime, until: dt.datetime) -> bool:
    """Take the mail to a person, unless another process did, or sent one since `found` was read."""
    cursor = await conn.execute(
        """update aviso set tentar_em = %(until)s where usuario_id = %(who)s and quando = %(quando)s
           and (tentar_em is null or tentar_em <= %(now)s)
           and resumo_de = %(done)s and enviado_em is not distinct from %(last)s""",
        {
            "who": found.usuario_id,
            "quando": found.quando,
            "done": found.resumo_de,
            "last": found.enviado_em,
            "now": now,
            "until": until,
        },
    )
    return cursor.rowcount == 1


async def done(conn: AsyncConnection[Any], usuario_id: UUID, slot: dt.datetime) -> None:
    """Write that nothing was to be said at `slot`."""
    await conn.execute(
        "update aviso set resumo_de = %(slot)s where usuario_id = %(who)s and resumo_de < %(slot)s",
        {"who": usuario_id, "slot": slot},
    )


async def sent(
    conn: AsyncConnection[Any], usuario_id: UUID, now: dt.datetime, slot: dt.datetime | None, told: Collection[str]
) -> None:
    """Write that a mail was taken that names the records `told`; with `slot`, it was the digest of that moment."""
    await conn.execute(
        """update aviso set enviado_em = %(now)s, resumo_de = greatest(resumo_de, coalesce(%(slot)s, resumo_de)),
           ditos = %(told)s::uuid[], tentar_em = null, falhas = 0, falha = '' where usuario_id = %(who)s""",
        {"who": usuario_id, "now": now, "slot": slot, "told": list(told)},
    )


async def refused(conn: AsyncConnection[Any], usuario_id: UUID, until: dt.datetime, reason: str) -> None:
    """Write that a mail was not taken, and until when it is not tried again."""
    await conn.execute(
        "update aviso set tentar_em = %s, falhas = falhas + 1, falha = left(%s, 400) where usuario_id = %s",
        [until, reason, usuario_id],
    )
