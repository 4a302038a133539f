"""Counts in the database: the list frozen, readings taken once, what they make of the items.

Promises: of the readings of an item the one that was made last counts, whichever arrived first; rows are locked in the order
of their ids, so that two phones wait for each other and never deadlock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from sispat.inventario.rules import EscopoDoInventario

__all__ = [
    "Bem", "Contado", "Leitura", "Pendencias", "Unit", "bens", "congelar", "conhecidas", "inserir_itens", "inserir_leituras",
    "leituras", "linhas", "para_contar", "pendencias", "progresso", "recalcular", "resumo", "unidades",
]  # fmt: skip

_SCOPES = {
    EscopoDoInventario.CIDADE: "true",
    EscopoDoInventario.SETOR: "p.setor_id = i.setor_id",
    EscopoDoInventario.LOCAL: "p.local_id = i.local_id",
    EscopoDoInventario.AGENTE: "p.agente_id = i.agente_id",
    EscopoDoInventario.CLASSE: "p.classe_id = i.classe_id",
}


async def congelar(conn: AsyncConnection[Any], id_: UUID, escopo: EscopoDoInventario) -> int:
    """Write down what is expected, as it stands now; how many assets that are."""
    await conn.execute("set local statement_timeout = '120s'")  # a million assets: see benchmarks.inventory
    sql = f"""
        with made as (
            insert into inventario_item (inventario_id, esperado, patrimonio_id, plaqueta, descricao, classe_id, valor,
                                         situacao, conservacao, setor_id, local_id, agente_id)
            select i.id, true, p.id, p.numero, p.descricao, p.classe_id, p.valor, p.situacao, p.conservacao, p.setor_id,
                   p.local_id, p.agente_id
            from inventario i join patrimonio p on {_SCOPES[escopo]}
            join setor s on s.id = p.setor_id join local l on l.id = p.local_id
            where i.id = %(id)s and p.situacao <> 'baixado'
            order by s.nome, s.id, l.nome, l.id, p.numero
            returning 1
        )
        update inventario set esperados = (select count(*) from made) where id = %(id)s returning esperados"""
    row = await (await conn.execute(sql, {"id": id_}, prepare=False)).fetchone()
    assert row is not None
    return int(row[0])


class Contado(NamedTuple):
    """A count, held open until the transaction ends."""

    id: UUID
    numero: int
    estado: str
    setor_id: UUID | None


async def para_contar(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> Contado | None:
    """A count within reach, whose state stays as it is until the transaction ends; many may hold it at once."""
    sql = """select id, numero, estado, setor_id from inventario where id = %(id)s
             and (%(setores)s::uuid[] is null or setor_id is null or setor_id = any(%(setores)s)) for share"""
    values = {"id": id_, "setores": None if setores is None else list(setores)}
    row = await (await conn.execute(sql, values)).fetchone()
    return None if row is None else Contado(*row)


class Bem(NamedTuple):
    """An asset that was read, as it stands, and the item that it is of the count, if any."""

    id: UUID
    numero: int
    descricao: str
    classe_id: UUID
    valor: Decimal
    situacao: str
    conservacao: str
    setor_id: UUID
    local_id: UUID
    agente_id: UUID
    item_id: UUID | None
    local_esperado_id: UUID | None


async def bens(
    conn: AsyncConnection[Any], inventario_id: UUID, ids: Sequence[UUID], numeros: Sequence[int]
) -> list[Bem]:
    """The assets with these ids or plate numbers, whichever setor they belong to: they stand before who reads them."""
    sql = """select p.id, p.numero, p.descricao, p.classe_id, p.valor, p.situacao, p.conservacao, p.setor_id, p.local_id,
                    p.agente_id, i.id, i.local_id
             from patrimonio p left join inventario_item i on i.inventario_id = %s and i.patrimonio_id = p.id
             where p.id = any(%s) or p.numero = any(%s) order by p.id"""
    cursor = await conn.execute(sql, [inventario_id, list(ids), list(numeros)])
    return [Bem(*row) for row in await cursor.fetchall()]


async def conhecidas(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Which of these readings are here already: their ids and those of their items."""
    sql = "select id, item_id from inventario_leitura where id = any(%s)"
    return dict(await (await conn.execute(sql, [list(ids)])).fetchall())


async def inserir_itens(conn: AsyncConnection[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add items that nobody expected; one that somebody else has just added stays as it is."""
    columns = tuple(rows[0])
    marks = ", ".join(f"%({column})s" for column in columns)
    sql = f"insert into inventario_item ({', '.join(columns)}) values ({marks}) on conflict do nothing"
    async with conn.cursor() as cursor:
        await cursor.executemany(sql, rows)


_NEW_READINGS = """
insert into inventario_leitura (id, inventario_id, item_id, resultado, codigo, local_id, conservacao, nota, lida_em, por)
select r.id, %(inventario_id)s, r.item_id, r.resultado, r.codigo, r.local_id, r.conservacao, r.nota,
       least(r.lida_em, now()), %(por)s
from unnest(%(id)s::uuid[], %(item_id)s::uuid[], %(resultado)s::text[], %(codigo)s::text[], %(local_id)s::uuid[],
            %(conservacao)s::text[], %(nota)s::text[], %(lida_em)s::timestamptz[])
     r (id, item_id, resultado, codigo, local_id, conservacao, nota, lida_em)
order by r.id on conflict (id) do nothing"""


async def inserir_leituras(
    conn: AsyncConnection[Any], inventario_id: UUID, por: UUID, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Keep readings; those whose id is here already are left out. A clock that is fast makes no reading of tomorrow."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    await conn.execute(_NEW_READINGS, {"inventario_id": inventario_id, "por": por, **columns})


# What was decided stays: a reading that comes after it is kept, and seen beside it.
_LAST_COUNTS = """
update inventario_item i set
    estado = case when i.decisao is null then last.resultado else i.estado end,
    local_visto_id = case when i.decisao is null then last.local_id else i.local_visto_id end,
    conservacao_vista = case when i.decisao is null then last.conservacao else i.conservacao_vista end,
    nota = case when i.decisao is null then last.nota else i.nota end,
    leituras = every.number, contraditorio = every.people > 1 and every.results > 1, versao = i.versao + 1
from unnest(%s::uuid[]) read (id)
cross join lateral (select l.* from inventario_leitura l where l.item_id = read.id
                    order by l.lida_em desc, l.recebida_em desc, l.id desc limit 1) last
cross join lateral (select count(*) as number, count(distinct l.por) as people,
                           count(distinct l.resultado || coalesce(l.local_id::text, '')) as results
                    from inventario_leitura l where l.item_id = read.id) every
where i.id = read.id returning i.id, i.estado"""


async def recalcular(conn: AsyncConnection[Any], items: Sequence[UUID]) -> dict[UUID, str]:
    """Let the last reading of each item say where it stands; what each is now."""
    # Two statements: the second one sees what whoever held the lock has written.
    await conn.execute("select from inventario_item where id = any(%s) order by id for no key update", [list(items)])
    return dict(await (await conn.execute(_LAST_COUNTS, [list(items)])).fetchall())


class Resumo(NamedTuple):
    """Of an item, what whoever read it is told."""

    setor_id: UUID
    estado: str
    plaqueta: int | None
    descricao: str
    esperado: bool


async def resumo(conn: AsyncConnection[Any], items: Sequence[UUID]) -> dict[UUID, Resumo]:
    """The items by id."""
    sql = "select id, setor_id, estado, plaqueta, descricao, esperado from inventario_item where id = any(%s)"
    return {row[0]: Resumo(*row[1:]) for row in await (await conn.execute(sql, [list(items)])).fetchall()}


class Leitura(NamedTuple):
    """A reading as the card of its item shows it."""

    id: UUID
    resultado: str
    codigo: str
    local: str | None
    conservacao: str | None
    nota: str
    lida_em: dt.datetime
    recebida_em: dt.datetime
    pessoa: str


async def leituras(conn: AsyncConnection[Any], item_id: UUID, limit: int = 50) -> list[Leitura]:
    """The readings of an item, the one that counts first."""
    sql = """select l.id, l.resultado, l.codigo, o.nome, l.conservacao, l.nota, l.lida_em, l.recebida_em, u.nome
             from inventario_leitura l join usuario u on u.id = l.por left join local o on o.id = l.local_id
             where l.item_id = %s order by l.lida_em desc, l.recebida_em desc, l.id desc limit %s"""
    return [Leitura(*row) for row in await (await conn.execute(sql, [item_id, limit])).fetchall()]


class Pendencias(NamedTuple):
    """What keeps a count from going on: how many of each, and the first of them by what people know them by."""

    nao_verificados: int
    sem_decisao: int
    quais: list[str]


async def pendencias(conn: AsyncConnection[Any], id_: UUID, *, decisions: bool) -> Pendencias:
    """What was not read; with `decisions` also divergences of which nothing was decided."""
    sql = """select count(*) filter (where estado = 'nao_verificado'), count(*) filter (where divergente and decisao is null)
             from inventario_item where inventario_id = %s"""
    row = await (await conn.execute(sql, [id_])).fetchone()
    assert row is not None
    unread, undecided = int(row[0]), int(row[1]) if decisions else 0
    sql = """select coalesce(lpad(plaqueta::text, 6, '0'), left(descricao, 40)) from inventario_item
             where inventario_id = %s and (estado = 'nao_verificado' or (%s and divergente and decisao is null))
             order by numero limit 5"""
    first = await (await conn.execute(sql, [id_, decisions])).fetchall()
    return Pendencias(unread, undecided, [row[0] for row in first])


async def progresso(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Of each of these counts, how many items are in each state, and of how many divergences nothing was decided."""
    sql = """select inventario_id, estado, count(*), count(*) filter (where divergente and decisao is null)
             from inventario_item where inventario_id = any(%s) group by 1, 2"""
    found: dict[UUID, dict[str, int]] = {id_: {} for id_ in ids}
    for id_, estado, number, undecided in await (await conn.execute(sql, [list(ids)])).fetchall():
        found[id_][estado] = number
        found[id_]["sem_decisao"] = found[id_].get("sem_decisao", 0) + undecided
    return found


class Unit(NamedTuple):
    """A setor of a report."""

    id: UUID
    codigo: str
    nome: str
    itens: int
    valor: Decimal


async def unidades(
    conn: AsyncConnection[Any], id_: UUID, setores: Sequence[UUID] | None, setor_id: UUID | None
) -> list[Unit]:
    """The setores within reach that a count has items of, by name; one alone where it is named."""
    sql = """select s.id, s.codigo, s.nome, count(*) as itens, sum(i.valor) as valor
             from inventario_item i join setor s on s.id = i.setor_id
             where i.inventario_id = %(id)s and (%(setores)s::uuid[] is null or i.setor_id = any(%(setores)s))
             and (%(setor_id)s::uuid is null or i.setor_id = %(setor_id)s) group by s.id order by s.nome, s.id"""
    values = {"id": id_, "setores": None if setores is None else list(setores), "setor_id": setor_id}
    async with conn.cursor(row_factory=class_row(Unit)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()


async def linhas(conn: AsyncConnection[Any], id_: UUID, setor_id: UUID) -> list[dict[str, Any]]:
    """What a report says of the items of a setor, by room and plate."""
    sql = """select i.plaqueta, i.descricao, i.valor, i.estado, i.conservacao, i.conservacao_vista, i.decisao, i.esperado,
                    coalesce(l.nome, v.nome, '') as local, v.nome as visto
             from inventario_item i left join local l on l.id = i.local_id left join local v on v.id = i.local_visto_id
             where i.inventario_id = %s and i.setor_id = %s order by i.numero"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, [id_, setor_id])
        return await cursor.fetchall()
