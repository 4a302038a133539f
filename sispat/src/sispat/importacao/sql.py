"""The rows of imports.

Promises: the spreadsheet is stored in pieces, so that nobody holds it whole; what one job writes of a check replaces what the
one before wrote.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from sispat.importacao.reading import CellError
from sispat.kernel.audit import Author

__all__ = [
    "add_part", "content", "delete_unused", "errors_of", "insert", "items", "lock", "names", "note_checked", "note_reserved",
    "note_undone", "note_written", "one", "page", "remember", "remembered", "replace_errors", "revert", "set_options",
    "undo", "waits_for",
]  # fmt: skip

Row = dict[str, Any]


async def insert(conn: AsyncConnection[Any], name: str, size: int, person: UUID) -> UUID:
    """A new import, without content yet."""
    cursor = await conn.execute(
        "insert into importacao (arquivo, tamanho, por) values (%s, %s, %s) returning id", [name, size, person]
    )
    row: Any = await cursor.fetchone()
    return UUID(str(row[0]))


async def add_part(conn: AsyncConnection[Any], id_: UUID, part: int, content: bytes) -> None:
    """The next piece of the spreadsheet."""
    await conn.execute("insert into importacao_parte values (%s, %s, %s)", [id_, part, content])


async def content(conn: AsyncConnection[Any], id_: UUID) -> AsyncIterator[bytes]:
    """The spreadsheet, piece by piece."""
    part = 0
    while True:
        sql = "select conteudo from importacao_parte where importacao_id = %s and parte = %s"
        row = await (await conn.execute(sql, [id_, part])).fetchone()
        if row is None:
            return
        yield row[0]
        part += 1


_SHOWN = """
select i.id, i.numero, i.arquivo, i.tamanho, i.formato, i.estado, i.colunas, i.opcoes, i.linhas, i.erros, i.resumo,
    i.criada_em, i.gravada_em, i.desfeita_em, i.versao, i.tarefa_id, i.primeiro_numero, i.por, u.nome as pessoa
from importacao i join usuario u on u.id = i.por"""


async def one(conn: AsyncConnection[Any], id_: UUID) -> Row | None:
    """An import, or None."""
    return await _row(conn, f"{_SHOWN} where i.id = %s", [id_])


async def lock(conn: AsyncConnection[Any], id_: UUID) -> Row | None:
    """The same, its row locked until the transaction ends."""
    return await _row(conn, f"{_SHOWN} where i.id = %s for no key update of i", [id_])


async def _row(conn: AsyncConnection[Any], sql: str, values: list[Any]) -> Row | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchone()


async def page(conn: AsyncConnection[Any], before: int | None, limit: int) -> list[Row]:
    """The newest imports below the number `before`."""
    where, values = ("where i.numero < %s", [before]) if before is not None else ("", [])
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"{_SHOWN} {where} order by i.numero desc limit %s", [*values, limit])
        return await cursor.fetchall()


async def names(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, str]:
    """The files of the imports among `ids`."""
    cursor = await conn.execute("select id, arquivo from importacao where id = any(%s)", [list(ids)])
    return dict(await cursor.fetchall())


async def waits_for(conn: AsyncConnection[Any], id_: UUID, job: UUID) -> None:
    """Note which job is at work on it."""
    await conn.execute("update importacao set tarefa_id = %s, versao = versao + 1 where id = %s", [job, id_])


async def set_options(
    conn: AsyncConnection[Any], id_: UUID, columns: Sequence[Mapping[str, str]], options: Mapping[str, Any]
) -> None:
    """How its columns are to be read, and what else was chosen."""
    await conn.execute(
        "update importacao set colunas = %s, opcoes = %s where id = %s", [Jsonb(list(columns)), Jsonb(options), id_]
    )


async def note_checked(
    conn: AsyncConnection[Any], id_: UUID, format_: str, columns: Sequence[Mapping[str, str]], rows: int, errors: int,
    summary: Mapping[str, Any],
) -> None:  # fmt: skip
    """What a check found."""
    await conn.execute(
        """update importacao set estado = 'conferida', formato = %s, colunas = %s, linhas = %s, erros = %s, resumo = %s,
               primeiro_numero = null, versao = versao + 1
           where id = %s""",
        [format_, Jsonb(list(columns)), rows, errors, Jsonb(summary), id_],
    )


async def replace_errors(conn: AsyncConnection[Any], id_: UUID, errors: Iterable[CellError]) -> None:
    """Store the errors of a check, instead of those of the one before."""
    await conn.execute("delete from importacao_erro where importacao_id = %s", [id_])
    async with (
        conn.cursor() as cursor,
        cursor.copy("copy importacao_erro (importacao_id, ordem, linha, coluna, valor, mensagem) from stdin") as copy,
    ):
        for order, error in enumerate(errors):
            await copy.write_row((id_, order, *error))


async def errors_of(conn: AsyncConnection[Any], id_: UUID, after: int, limit: int) -> list[tuple[int, CellError]]:
    """Stored errors in their order, each with its place, after `after`."""
    cursor = await conn.execute(
        """select ordem, linha, coluna, valor, mensagem from importacao_erro
           where importacao_id = %s and ordem > %s order by ordem limit %s""",
        [id_, after, limit],
    )
    return [(row[0], CellError(*row[1:])) for row in await cursor.fetchall()]


async def note_reserved(conn: AsyncConnection[Any], id_: UUID, first: int) -> None:
    """Note the first plate number that was reserved for it."""
    await conn.execute("update importacao set primeiro_numero = %s where id = %s", [first, id_])


async def note_written(conn: AsyncConnection[Any], id_: UUID, summary: Mapping[str, Any]) -> None:
    """It is done: keep what it did (`lote_gravado`, of patrimonios.sql.bulk), and let the spreadsheet go."""
    await conn.execute(
        """insert into importacao_item (importacao_id, patrimonio_id, versao, antes)
           select %s, id, versao, antes from lote_gravado""",
        [id_],
    )
    await conn.execute(
        """update importacao set estado = 'gravada', gravada_em = now(), resumo = resumo || %s, versao = versao + 1
           where id = %s""",
        [Jsonb(summary), id_],
    )
    await conn.execute("delete from importacao_parte where importacao_id = %s", [id_])


async def items(conn: AsyncConnection[Any], id_: UUID) -> tuple[int, int]:
    """How many assets it made or changed, and how many of them are as it left them."""
    cursor = await conn.execute(
        """select count(*), count(*) filter (where p.versao = i.versao)
           from importacao_item i left join patrimonio p on p.id = i.patrimonio_id where i.importacao_id = %s""",
        [id_],
    )
    row: Any = await cursor.fetchone()
    return row[0], row[1]


async def undo(conn: AsyncConnection[Any], id_: UUID, author: Author) -> int:
    """Remove what it made, all or nothing (migration 0023); how many assets it had made or changed."""
    cursor = await conn.execute("select importacao_desfazer(%s, %s, %s, %s)", [id_, *author])
    row: Any = await cursor.fetchone()
    return int(row[0])


async def revert(conn: AsyncConnection[Any], id_: UUID, columns: Sequence[str], author: Author) -> None:
    """Give the assets that it changed what they had before; `undo` has locked them and seen that they are as it left them."""
    names = ", ".join(columns)
    await conn.execute(
        f"""with agora as (
                select p.id, i.antes, (select jsonb_object_agg(k, to_jsonb(p) -> k) from jsonb_object_keys(i.antes) k) as era
                from patrimonio p join importacao_item i on i.patrimonio_id = p.id
                where i.importacao_id = %(id)s and i.antes is not null
            ), volta as (
                update patrimonio p set ({names}) = (select {names} from jsonb_populate_record(p, a.antes)),
                    versao = p.versao + 1, atualizado_em = now()
                from agora a where a.id = p.id
            )
            insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
            select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', id, 'desfazer_importacao', era, antes from agora""",
        {"id": id_, **author._asdict()},
    )


async def note_undone(conn: AsyncConnection[Any], id_: UUID) -> None:
    """It is undone."""
    await conn.execute(
        "update importacao set estado = 'desfeita', desfeita_em = now(), versao = versao + 1 where id = %s", [id_]
    )


async def remembered(conn: AsyncConnection[Any], person: UUID) -> dict[str, str]:
    """Plain heading -> field, as this person chose the last time."""
    cursor = await conn.execute("select cabecalho, campo from importacao_mapa where usuario_id = %s", [person])
    return dict(await cursor.fetchall())


async def remember(conn: AsyncConnection[Any], person: UUID, chosen: Mapping[str, str]) -> None:
    """Remember that, for the next time."""
    await conn.execute(
        """insert into importacao_mapa select %s, * from unnest(%s::text[], %s::text[])
           on conflict (usuario_id, cabecalho) do update set campo = excluded.campo""",
        [person, list(chosen), list(chosen.values())],
    )


async def delete_unused(conn: AsyncConnection[Any], limit: int = 20) -> int:
    """Remove at most `limit` spreadsheets that nobody saved for a month, with what a check found; rows removed."""
    cursor = await conn.execute(
        """delete from importacao where id in (select id from importacao
               where estado in ('recebida', 'conferida') and criada_em < now() - interval '30 days' limit %s)""",
        [limit],
    )
    return cursor.rowcount
