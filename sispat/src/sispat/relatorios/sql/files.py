"""Reports that jobs make: the row of each, its content in pieces. Only who asked for one is given it."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

__all__ = ["File", "esperar", "gravar", "inserir", "ler", "parte", "remover"]

_PIECE = 1024 * 1024  # bytes


class File(NamedTuple):
    """A report that was asked for; `pronto_em` is None until it is made."""

    id: UUID
    nome: str
    tarefa_id: UUID
    linhas: int | None
    tamanho: int | None
    pronto_em: dt.datetime | None


async def inserir(conn: AsyncConnection[Any], relatorio: str, nome: str, por: UUID) -> UUID:
    """A file that is not made yet; its id."""
    cursor = await conn.execute(
        "insert into relatorio_arquivo (relatorio, nome, por) values (%s, %s, %s) returning id", [relatorio, nome, por]
    )
    row: Any = await cursor.fetchone()
    return UUID(str(row[0]))


async def esperar(conn: AsyncConnection[Any], id_: UUID, job: UUID) -> None:
    """Say which job makes it."""
    await conn.execute("update relatorio_arquivo set tarefa_id = %s where id = %s", [job, id_])


async def gravar(conn: AsyncConnection[Any], id_: UUID, content: bytes, lines: int) -> None:
    """Keep what was made."""
    for number, start in enumerate(range(0, len(content), _PIECE)):
        await conn.execute(
            "insert into relatorio_parte (arquivo_id, parte, conteudo) values (%s, %s, %s)",
            [id_, number, content[start : start + _PIECE]],
        )
    await conn.execute(
        "update relatorio_arquivo set pronto_em = now(), linhas = %s, tamanho = %s where id = %s",
        [lines, len(content), id_],
    )


async def ler(conn: AsyncConnection[Any], id_: UUID, por: UUID) -> File | None:
    """The file with this id that this person asked for."""
    async with conn.cursor(row_factory=class_row(File)) as cursor:
        await cursor.execute(
            "select id, nome, tarefa_id, linhas, tamanho, pronto_em from relatorio_arquivo where id = %s and por = %s",
            [id_, por],
        )
        return await cursor.fetchone()


async def parte(conn: AsyncConnection[Any], id_: UUID, por: UUID, number: int) -> bytes | None:
    """The piece of a file with this number, counted from 0; None after the last."""
    cursor = await conn.execute(
        """select p.conteudo from relatorio_parte p join relatorio_arquivo a on a.id = p.arquivo_id
           where a.id = %s and a.por = %s and p.parte = %s""",
        [id_, por, number],
    )
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


async def remover(conn: AsyncConnection[Any], older: dt.timedelta) -> None:
    """Remove the files that are older than this."""
    await conn.execute("delete from relatorio_arquivo where criado_em < now() - %s", [older])
