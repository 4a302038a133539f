"""The audit: append-only, in the same transaction as what it tells of.

Promises: what changed, from what to what, by whom, in which request; of an integration also with which of its API keys. The
application's role can neither change nor remove a record, and a trigger stops whoever could.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from pydantic import BaseModel

__all__ = ["SYSTEM", "Author", "Sought", "history", "latest", "record", "record_export"]

SYSTEM = "sistema"
"""Who did what nobody did who is signed in."""


class Author(NamedTuple):
    """Who does something: the person or integration, the API key that it asked with, the request."""

    actor: UUID | None
    key_id: UUID | None
    request_id: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which records are asked for; what is empty or None narrows nothing.

    `pessoa` is a part of the name or e-mail of who acted, `registro` the key of a record or the plate number of an asset,
    `desde` and `antes` the moments between which it was done, `antes` not included.
    """

    pessoa: str = ""
    acao: str = ""
    registro: UUID | int | None = None
    desde: dt.datetime | None = None
    antes: dt.datetime | None = None

    def conditions(self) -> list[tuple[str, Any]]:
        """The parts of WHERE over `evento e` but for the person, each with its one value; each has an index that serves it."""
        asked: list[tuple[str, Any]] = [
            ("e.acao = %s", self.acao),
            ("e.em >= %s", self.desde),
            ("e.em < %s", self.antes),
        ]
        by_number = isinstance(self.registro, int)
        record = "(select id from patrimonio where numero = %s)" if by_number else "%s"
        asked.append((f"e.entidade_id = {record}", self.registro))
        return [(sql, value) for sql, value in asked if value not in ("", None)]


# Each person's records are walked from the newest on: one who did little is not looked for among what all others did.
_OF_PERSONS = """unnest(array(select id from usuario where strpos(sem_acento(nome || ' ' || email), sem_acento(%s)) > 0))
    of_person (id) cross join lateral (select e.* from evento e where {where} order by e.id desc limit {limit:d}) e"""


async def record(
    conn: AsyncConnection[Any],
    *,
    actor: UUID | None,
    request_id: str,
    entidade: str,
    entidade_id: UUID,
    acao: str,
    antes: Mapping[str, Any] | None = None,
    depois: Mapping[str, Any] | None = None,
    key_id: UUID | None = None,
) -> None:
    """Write one record; `key_id` is the API key that the actor asked with, an integration."""
    await conn.execute(
        "insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [actor, key_id, request_id, entidade, entidade_id, acao, _json(antes), _json(depois)],
    )


async def record_export(conn: AsyncConnection[Any], author: Author, acao: str, asked: BaseModel, **more: Any) -> None:
    """Somebody takes what `asked` finds out of the service: written before the first line leaves."""
    assert author.actor is not None, "a list is for who is signed in"
    filters = {name: value for name, value in asked.model_dump(exclude_defaults=True).items() if value is not None}
    await record(
        conn, **author._asdict(), entidade="usuario", entidade_id=author.actor, acao=acao, depois={**more, **filters}
    )


async def history(conn: AsyncConnection[Any], entidade_id: UUID, limit: int = 200) -> list[dict[str, Any]]:
    """The records of one entity, newest first, with the names of who acted."""
    return await _read(conn, "where e.entidade_id = %s", [entidade_id, limit])


async def latest(
    conn: AsyncConnection[Any], before: int | None = None, limit: int = 100, sought: Sought | None = None
) -> list[dict[str, Any]]:
    """The newest records that are `sought`, or of all, walked by key: `before` is the id to continue below."""
    conditions = sought.conditions() if sought else []
    if before is not None:
        conditions.append(("e.id < %s", before))
    values = [value for _, value in conditions]
    if sought is not None and sought.pessoa:
        where = " and ".join(["e.ator_id = of_person.id", *(sql for sql, _ in conditions)])
        source = _OF_PERSONS.format(where=where, limit=limit)
        return await _read(conn, "", [sought.pessoa, *values, limit], source)
    where = f"where {' and '.join(sql for sql, _ in conditions)}" if conditions else ""
    return await _read(conn, where, [*values, limit])


async def _read(
    conn: AsyncConnection[Any], where: str, values: list[Any], source: str = "evento e"
) -> list[dict[str, Any]]:
    cursor = await conn.execute(
        f"""select e.id, e.em, coalesce(u.nome, '{SYSTEM}') as ator, k.nome as chave, e.entidade, e.entidade_id, e.acao,
                   e.antes, e.depois, e.requisicao
            from {source} left join usuario u on u.id = e.ator_id left join chave_api k on k.id = e.chave_id
            {where} order by e.id desc limit %s""",
        values,
    )
    columns = [column.name for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in await cursor.fetchall()]


def _json(values: Mapping[str, Any] | None) -> Jsonb | None:
    if values is None:
        return None
    return Jsonb({c: v if v is None or isinstance(v, int | bool) else str(v) for c, v in values.items()})
