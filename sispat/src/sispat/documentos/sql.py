"""Documents, and the contents that they refer to.

A content's row is locked by whoever attaches it, detaches it or removes it: `reivindicar` before its file is placed, `soltar`
before its last document goes, `esquecer` before its file is removed. Hence nobody removes a file that somebody else is about
to refer to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sispat.kernel.files import Inspected

__all__ = [
    "desconhecidos", "esquecer", "inserir", "ler", "listar", "reivindicar", "remover", "resumir", "sem_uso",
    "tornar_principal", "travar_registro",
]  # fmt: skip

_COLUMNS = """d.id, d.entidade, d.entidade_id, d.tipo, d.nome, d.descricao, d.principal, d.enviado_em, c.sha256, c.formato,
       c.tamanho, c.largura, c.altura, d.enviado_por as enviado_por_id, u.nome as enviado_por"""
_FROM = "documento d join conteudo c using (sha256) join usuario u on u.id = d.enviado_por"


async def _rows(conn: AsyncConnection[Any], sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()


async def listar(conn: AsyncConnection[Any], entidade: str, id_: UUID) -> list[dict[str, Any]]:
    """All documents of a record: its main photo, the other photos, the rest, each from the oldest on."""
    return await _rows(
        conn,
        f"""select {_COLUMNS} from {_FROM} where d.entidade = %s and d.entidade_id = %s
            order by d.principal desc, d.tipo <> 'foto', d.enviado_em, d.id""",
        [entidade, id_],
    )


async def resumir(
    conn: AsyncConnection[Any], entidade: str, ids: Sequence[UUID]
) -> list[tuple[UUID, int, UUID | None]]:
    """Of those records among `ids` that have documents: the id, how many, and the main photo."""
    cursor = await conn.execute(
        """select entidade_id, count(*), (array_agg(id) filter (where principal))[1] from documento
           where entidade = %s and entidade_id = any(%s) group by entidade_id""",
        [entidade, list(ids)],
    )
    return await cursor.fetchall()


async def ler(conn: AsyncConnection[Any], id_: UUID) -> dict[str, Any] | None:
    """One document, or None."""
    return next(iter(await _rows(conn, f"select {_COLUMNS} from {_FROM} where d.id = %s", [id_])), None)


async def travar_registro(conn: AsyncConnection[Any], entidade: str, id_: UUID) -> None:
    """Let those who change the documents of one record wait for each other until the end of the transaction."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"documentos {entidade} {id_}"])


async def reivindicar(conn: AsyncConnection[Any], contents: Sequence[Inspected]) -> None:
    """Lock the rows of `contents`, made where they are missing, in the order of their hashes."""
    for each in sorted(contents, key=lambda content: content.sha256):
        await conn.execute(
            """insert into conteudo (sha256, formato, tamanho, largura, altura) values (%s, %s, %s, %s, %s)
               on conflict (sha256) do update set solto_em = null""",
            [each.sha256, each.format, each.size, each.width, each.height],
        )


async def inserir(
    conn: AsyncConnection[Any], entidade: str, id_: UUID, content: Inspected, *, tipo: str, descricao: str,
    principal: bool, por: UUID,
) -> UUID:  # fmt: skip
    """Attach a content; the id of the document."""
    cursor = await conn.execute(
        """insert into documento (entidade, entidade_id, sha256, tipo, nome, descricao, principal, enviado_por)
           values (%s, %s, %s, %s, %s, %s, %s, %s) returning id""",
        [entidade, id_, content.sha256, tipo, content.name, descricao, principal, por],
    )
    row = await cursor.fetchone()
    assert row is not None
    return UUID(str(row[0]))


async def remover(conn: AsyncConnection[Any], id_: UUID, sha256: bytes) -> bool:
    """Detach a document; whether it was still there. A content that is referred to no more is marked so."""
    await conn.execute("select from conteudo where sha256 = %s for update", [sha256])
    cursor = await conn.execute("delete from documento where id = %s", [id_])
    await conn.execute(
        """update conteudo c set solto_em = now()
           where sha256 = %s and not exists (select from documento d where d.sha256 = c.sha256)""",
        [sha256],
    )
    return cursor.rowcount == 1


async def tornar_principal(conn: AsyncConnection[Any], entidade: str, id_: UUID, documento: UUID | None) -> None:
    """Let `documento` be the main photo of a record; None: the oldest photo, if there is one."""
    await conn.execute(
        "update documento set principal = false where entidade = %s and entidade_id = %s and principal", [entidade, id_]
    )
    await conn.execute(
        """update documento set principal = true where id = coalesce(%s, (
               select id from documento where entidade = %s and entidade_id = %s and tipo = 'foto'
               order by enviado_em, id limit 1))""",
        [documento, entidade, id_],
    )


async def sem_uso(conn: AsyncConnection[Any], seconds: float, limit: int = 200) -> list[bytes]:
    """Contents to which nothing has referred for `seconds`."""
    cursor = await conn.execute(
        "select sha256 from conteudo where solto_em < now() - %s * interval '1 second' order by solto_em limit %s",
        [seconds, limit],
    )
    return [bytes(row[0]) for row in await cursor.fetchall()]


async def esquecer(conn: AsyncConnection[Any], sha256: bytes, seconds: float) -> bool:
    """Remove the row of a content to which nothing has referred for `seconds`; whether it is gone, until the end locked."""
    # A row that is not there is made first: whoever attaches this content meanwhile waits for us, as on one that is.
    await conn.execute(
        """insert into conteudo (sha256, formato, tamanho, solto_em) values (%s, 'pdf', 1, 'epoch')
           on conflict (sha256) do nothing""",
        [sha256],
    )
    cursor = await conn.execute(
        """delete from conteudo c where sha256 = %s and solto_em < now() - %s * interval '1 second'
           and not exists (select from documento d where d.sha256 = c.sha256)""",
        [sha256, seconds],
    )
    return cursor.rowcount == 1


async def desconhecidos(conn: AsyncConnection[Any], contents: Sequence[bytes]) -> list[bytes]:
    """Those of `contents` that have no row."""
    cursor = await conn.execute(
        """select sent from unnest(%s::bytea[]) sent
           where not exists (select from conteudo where sha256 = sent)""",
        [list(contents)],
    )
    return [bytes(row[0]) for row in await cursor.fetchall()]
