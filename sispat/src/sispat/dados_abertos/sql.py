"""Open data in the database: what the datasets are read from, and the files that were made of them.

Promises: a file lies here compressed, in parts, so that every machine serves it, a backup holds it and nobody needs it whole
in memory; a publication is seen whole or not at all. The newest two are kept: who downloads while another is made is not cut
off.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

__all__ = ["QUERIES", "Publication", "add_part", "begin", "due", "finish", "forget_old", "latest", "part", "rows"]

# A CPF in a text that people typed, written as one. Eleven digits alone may be anything, such as a serial number.
_NO_CPF = r"regexp_replace({}, '\m\d{{3}}\.\d{{3}}\.\d{{3}}-\d{{2}}\M', '***', 'g')"

# In the order of the columns of `datasets`; a test compares the names.
QUERIES = {
    "bens": f"""
        select p.numero, {_NO_CPF.format("p.descricao")} as descricao, c.conta, c.nome as classe, s.codigo as setor_codigo,
               s.nome as setor, p.situacao, p.conservacao, p.posse, p.data_aquisicao, p.valor as valor_aquisicao,
               d.bruto as valor_bruto, d.acumulada as depreciacao_acumulada, d.perda,
               d.bruto - d.acumulada - d.perda as valor_liquido, b.data as data_baixa, b.motivo as motivo_baixa
        from patrimonio p join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id
            left join depreciacao d on d.patrimonio_id = p.id and not d.saiu and d.fechamento =
                (select numero from fechamento where reaberto_em is null order by competencia desc limit 1)
            left join baixa b on b.patrimonio_id = p.id and b.estornada_em is null
        order by p.numero""",
    "imoveis": f"""
        select numero, {_NO_CPF.format("nome")} as nome, tipo, destinacao, estado, posse, logradouro, numero_predial, bairro,
               cidade, uf, latitude, longitude, area_terreno, area_construida, forma_aquisicao, data_aquisicao,
               valor_terreno, valor_edificacao
        from imovel order by numero""",
    "contas": """
        select f.competencia, c.conta, c.nome, c.bens, c.entradas, c.baixas, c.depreciacao, c.ajuste, c.bruto as valor_bruto,
               c.acumulada as depreciacao_acumulada, c.perda, c.bruto - c.acumulada - c.perda as valor_liquido
        from fechamento f join fechamento_conta c on c.fechamento = f.numero where f.reaberto_em is null
        order by f.competencia, c.conta""",
}


async def rows(conn: AsyncConnection[Any], dataset: str, lot: int) -> AsyncIterator[tuple[list[str], list[Any]]]:
    """The names of a dataset's columns with at most `lot` of its rows, lot after lot, as of one moment; at least one lot."""
    await conn.execute(
        "set local statement_timeout = 0"
    )  # the first lot waits for the sort of all; the job has a limit
    await conn.execute("set local cursor_tuple_fraction = 1")
    async with conn.cursor(name="dados_abertos") as cursor:
        await cursor.execute(QUERIES[dataset])
        while found := await cursor.fetchmany(lot):
            assert cursor.description is not None
            yield [each.name for each in cursor.description], found


class Publication(NamedTuple):
    """What was published: when, and of each file its rows, its bytes, its compressed bytes, its sha256."""

    id: UUID
    publicado_em: dt.datetime
    arquivos: dict[str, dict[str, Any]]


async def begin(conn: AsyncConnection[Any]) -> tuple[UUID, dt.datetime]:
    """A publication without files, which nobody sees before the transaction ends; its id and time."""
    cursor = await conn.execute("insert into publicacao (arquivos) values ('{}') returning id, publicado_em")
    row: Any = await cursor.fetchone()
    return UUID(str(row[0])), row[1]


async def add_part(conn: AsyncConnection[Any], publication: UUID, file: str, number: int, content: bytes) -> None:
    """Store the `number`-th part of a file."""
    await conn.execute(
        "insert into publicacao_parte (publicacao_id, arquivo, parte, conteudo) values (%s, %s, %s, %s)",
        [publication, file, number, content],
    )


async def finish(conn: AsyncConnection[Any], publication: UUID, files: dict[str, dict[str, Any]]) -> None:
    """Write down what its files are."""
    await conn.execute("update publicacao set arquivos = %s where id = %s", [Jsonb(files), publication])


async def forget_old(conn: AsyncConnection[Any]) -> None:
    """Remove all but the newest two."""
    await conn.execute(
        "delete from publicacao where id not in (select id from publicacao order by publicado_em desc, id limit 2)"
    )


async def latest(conn: AsyncConnection[Any]) -> Publication | None:
    """The newest publication; None: there is none."""
    async with conn.cursor(row_factory=class_row(Publication)) as cursor:
        await cursor.execute("select id, publicado_em, arquivos from publicacao order by publicado_em desc, id limit 1")
        return await cursor.fetchone()


async def part(conn: AsyncConnection[Any], publication: UUID, file: str, number: int) -> bytes | None:
    """The `number`-th part of a file; None: there is none."""
    cursor = await conn.execute(
        "select conteudo from publicacao_parte where publicacao_id = %s and arquivo = %s and parte = %s",
        [publication, file, number],
    )
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


async def due(conn: AsyncConnection[Any], every: dt.timedelta, jobs: Sequence[str]) -> bool:
    """Whether it is time for a publication that nobody has asked for yet; whoever is told so alone asks, until the commit."""
    await conn.execute("select pg_advisory_xact_lock(85301035)")
    cursor = await conn.execute(
        """select not exists (select from publicacao where publicado_em > now() - %s)
                  and not exists (select from tarefa where tipo = any(%s) and pedida_em > now() - %s)""",
        [every, list(jobs), every],
    )
    row: Any = await cursor.fetchone()
    return bool(row[0])
