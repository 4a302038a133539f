"""The rows of jobs: asked for, taken, seen alive, ended.

Promises: a job is taken by one process at a time, over all machines; a process that has not been seen for `LEASE` has lost
it, and cannot finish it any more (`vez`, a fencing token). All times are those of the database's clock. A job that somebody
cancelled is not finished afterwards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from sispat.kernel.audit import Author
from sispat.kernel.labelled import Labelled

__all__ = [
    "KEPT", "LEASE", "Claim", "Estado", "Heartbeat", "Settled", "cancel", "claim", "claimed", "fail", "finish",
    "heartbeat", "held", "one", "overdue", "page", "progress", "put", "remove_old", "settle",
]  # fmt: skip

LEASE = 15.0
"""Seconds after which a process that says nothing has lost its job; it says something every two."""
KEPT = dt.timedelta(days=30)
"""How long a job that has ended is kept."""


class Estado(Labelled):
    """How a job stands."""

    PENDENTE = "pendente", "Na fila"
    EXECUTANDO = "executando", "Em andamento"
    CONCLUIDA = "concluida", "Concluída"
    FALHOU = "falhou", "Falhou"
    CANCELADA = "cancelada", "Cancelada"


class Claim(NamedTuple):
    """A job that a process has taken. `limit`: seconds it may take; `failures` of `attempts` are used up."""

    id: UUID
    kind: str
    turn: int
    arguments: Mapping[str, Any]
    person: UUID | None
    key_id: UUID | None
    request_id: str
    language: str
    failures: int
    attempts: int
    limit: int


_CLAIM_COLUMNS = """id, tipo as kind, vez as turn, argumentos as arguments, pedida_por as person, chave_id as key_id,
    requisicao as request_id, idioma as language, falhas as failures, tentativas as attempts, prazo as limit"""


async def put(
    conn: AsyncConnection[Any], kind: str, arguments: Mapping[str, Any], author: Author, language: str,
    *, attempts: int, limit: int,
) -> UUID:  # fmt: skip
    """Ask for a job; it is there once the transaction of `conn` is committed."""
    cursor = await conn.execute(
        "insert into tarefa (tipo, argumentos, pedida_por, chave_id, requisicao, idioma, tentativas, prazo)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) returning id",
        [kind, Jsonb(arguments), author.actor, author.key_id, author.request_id, language, attempts, limit],
    )
    row: Any = await cursor.fetchone()
    return UUID(str(row[0]))


# What was taken and is not seen any more is taken again: its process is dead, or as good as that.
_CLAIM = f"""
update tarefa set estado = 'executando', vez = vez + 1, executor = %(executor)s, vista_em = now(), etapa = '', feito = 0,
    total = null, iniciada_em = coalesce(iniciada_em, now()),
    falhas = falhas + case estado when 'executando' then 1 else 0 end
where id = (
    select id from tarefa
    where (estado = 'pendente' and a_partir_de <= now())
       or (estado = 'executando' and vista_em < now() - make_interval(secs => {LEASE}))
    order by a_partir_de, numero limit 1 for no key update skip locked)
returning {_CLAIM_COLUMNS}"""


async def claim(conn: AsyncConnection[Any], executor: str) -> Claim | None:
    """Take the job that is due first, for the process called `executor`; None: there is none."""
    async with conn.cursor(row_factory=class_row(Claim)) as cursor:
        await cursor.execute(_CLAIM, {"executor": executor})
        return await cursor.fetchone()


async def claimed(conn: AsyncConnection[Any], id_: UUID, turn: int) -> Claim | None:
    """The job, while it is still taken for the `turn`-th time; None otherwise."""
    async with conn.cursor(row_factory=class_row(Claim)) as cursor:
        await cursor.execute(
            f"select {_CLAIM_COLUMNS} from tarefa where id = %s and vez = %s and estado = 'executando'", [id_, turn]
        )
        return await cursor.fetchone()


class Heartbeat(NamedTuple):
    """What a process learns when it says that it is alive."""

    held: bool
    """Whether the job is still its own."""
    cancelled: bool


_OURS = "id = %(id)s and vez = %(turn)s and estado = 'executando'"


async def heartbeat(conn: AsyncConnection[Any], taken: Claim) -> Heartbeat:
    """Say that somebody works on it."""
    return await _told(conn, f"update tarefa set vista_em = now() where {_OURS} returning cancelar_em", taken)


async def progress(conn: AsyncConnection[Any], taken: Claim, step: str, done: int, total: int | None) -> Heartbeat:
    """Say how far it is."""
    sql = f"""update tarefa set etapa = %(step)s, feito = %(done)s, total = %(total)s where {_OURS}
              returning cancelar_em"""
    return await _told(conn, sql, taken, step=step, done=done, total=total)


async def _told(conn: AsyncConnection[Any], sql: str, taken: Claim, **values: Any) -> Heartbeat:
    row: Any = await (await conn.execute(sql, {"id": taken.id, "turn": taken.turn, **values})).fetchone()
    return Heartbeat(row is not None, row is not None and row[0] is not None)


async def held(conn: AsyncConnection[Any], taken: Claim) -> bool:
    """Whether the job is still `taken`'s and nobody cancelled it; if so its row is locked until the transaction ends."""
    sql = f"select from tarefa where {_OURS} and cancelar_em is null for no key update"
    return await (await conn.execute(sql, {"id": taken.id, "turn": taken.turn})).fetchone() is not None


async def finish(conn: AsyncConnection[Any], taken: Claim, result: Mapping[str, Any]) -> None:
    """Write that it is done, in the transaction that did it; `held` was asked in the same."""
    await conn.execute(
        f"""update tarefa set estado = 'concluida', terminada_em = now(), resultado = %(result)s,
            feito = coalesce(total, feito) where {_OURS}""",
        {"id": taken.id, "turn": taken.turn, "result": Jsonb(result)},
    )


async def fail(conn: AsyncConnection[Any], taken: Claim, code: str, message: str) -> bool:
    """Write that it failed for good; False where it was no longer ours."""
    cursor = await conn.execute(
        f"update tarefa set estado = 'falhou', terminada_em = now(), erro = %(error)s where {_OURS}",
        {"id": taken.id, "turn": taken.turn, "error": Jsonb({"code": code, "message": message})},
    )
    return cursor.rowcount == 1


class Settled(NamedTuple):
    """What becomes of a job whose process has ended: its state, seconds until it is tried again, why it failed."""

    state: Estado
    wait: float = 0.0
    failed: bool = False
    code: str = ""
    message: str = ""


async def settle(conn: AsyncConnection[Any], taken: Claim, settled: Settled) -> None:
    """Write what becomes of it, unless its process has written that itself; a cancelled one is cancelled."""
    await conn.execute(
        f"""update tarefa set
                estado = case when cancelar_em is null then %(state)s else 'cancelada' end,
                terminada_em = case when cancelar_em is null and %(state)s = 'pendente' then null else now() end,
                a_partir_de = now() + make_interval(secs => %(wait)s),
                falhas = falhas + %(failed)s::int,
                erro = case when cancelar_em is null then %(error)s::jsonb end
            where {_OURS}""",
        {
            "id": taken.id,
            "turn": taken.turn,
            "state": settled.state,
            "wait": settled.wait,
            "failed": settled.failed,
            "error": Jsonb({"code": settled.code, "message": settled.message}) if settled.code else None,
        },
    )


async def cancel(conn: AsyncConnection[Any], id_: UUID) -> str | None:
    """Ask for its end: the state it is in now, `executando` until its process has ended; None: it had ended already."""
    cursor = await conn.execute(
        """update tarefa set cancelar_em = coalesce(cancelar_em, now()),
               estado = case estado when 'pendente' then 'cancelada' else estado end,
               terminada_em = case estado when 'pendente' then now() end
           where id = %s and estado in ('pendente', 'executando') returning estado""",
        [id_],
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


_SHOWN = """
select t.id, t.numero, t.tipo, t.estado, t.argumentos, t.pedida_em, t.iniciada_em, t.terminada_em, t.etapa, t.feito, t.total,
    t.cancelar_em, t.falhas, t.a_partir_de, t.resultado, t.erro, t.pedida_por, u.nome as pessoa,
    extract(epoch from now() - t.vista_em)::float8 as calada_ha
from tarefa t left join usuario u on u.id = t.pedida_por"""


async def one(conn: AsyncConnection[Any], id_: UUID) -> dict[str, Any] | None:
    """A job as it is shown, or None."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"{_SHOWN} where t.id = %s", [id_])
        return await cursor.fetchone()


async def page(conn: AsyncConnection[Any], person: UUID | None, before: int | None, limit: int) -> list[dict[str, Any]]:
    """The newest jobs, of one person or (None) of all, below the number `before`."""
    conditions = [("t.pedida_por = %s", person), ("t.numero < %s", before)]
    asked = [(sql, value) for sql, value in conditions if value is not None]
    where = f"where {' and '.join(sql for sql, _ in asked)}" if asked else ""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"{_SHOWN} {where} order by t.numero desc limit %s", [*(value for _, value in asked), limit]
        )
        return await cursor.fetchall()


async def overdue(conn: AsyncConnection[Any]) -> float:
    """Seconds for which the job that waits longest could have been worked on, and was not."""
    row: Any = await (await conn.execute(_OVERDUE)).fetchone()
    return float(row[0])


_OVERDUE = f"""
with due as (
    select case estado when 'pendente' then a_partir_de else vista_em + make_interval(secs => {LEASE}) end as since
    from tarefa where estado in ('pendente', 'executando'))
select coalesce(extract(epoch from now() - min(since)), 0)::float8 from due where since <= now()"""


async def remove_old(conn: AsyncConnection[Any], limit: int = 5000) -> int:
    """Remove at most `limit` jobs that ended longer ago than `KEPT`; rows removed."""
    cursor = await conn.execute(
        "delete from tarefa where id in (select id from tarefa where terminada_em < now() - %s::interval limit %s)",
        [KEPT, limit],
    )
    return cursor.rowcount
