"""What a termo is made of, read in one statement each: the subject, the assets, the people.

Promises: an asset or a movement out of reach is not there; amounts, places and names are those of the moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

__all__ = [
    "Bem", "agente", "agentes", "bens_da_baixa", "bens_da_carga", "bens_da_transferencia", "bens_do_emprestimo",
    "bens_passados", "motivo_da_saida", "movimento", "nome_do_setor", "usuario",
]  # fmt: skip


class Bem(NamedTuple):
    """An asset of a termo; `de_id` and `para_id` are the agentes it goes from and to, where it goes."""

    id: UUID
    numero: int
    descricao: str
    conservacao: str
    local: str
    valor: Decimal
    setor_id: UUID
    movimento_id: UUID | None
    de_id: UUID | None
    para_id: UUID | None


_COLUMNS = "p.id, p.numero, p.descricao, p.conservacao, s.codigo || ' · ' || l.nome as local, p.valor, p.setor_id"
_JOINS = "join setor s on s.id = p.setor_id join local l on l.id = p.local_id"


async def _bens(conn: AsyncConnection[Any], sql: str, values: dict[str, Any]) -> list[Bem]:
    async with conn.cursor(row_factory=class_row(Bem)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()


async def bens_da_carga(conn: AsyncConnection[Any], agente_id: UUID, most: int) -> list[Bem]:
    """All assets that an agente has, wherever they stand."""
    sql = f"""select {_COLUMNS}, null::uuid as movimento_id, null::uuid as de_id, p.agente_id as para_id
              from patrimonio p {_JOINS}
              where p.agente_id = %(id)s and p.situacao <> 'baixado' order by p.numero limit %(most)s"""
    return await _bens(conn, sql, {"id": agente_id, "most": most})


async def bens_da_transferencia(conn: AsyncConnection[Any], id_: UUID) -> list[Bem]:
    """The accepted items of a transfer, with who had them and who received them, as the audit of the acceptance says."""
    sql = f"""select {_COLUMNS}, i.transferencia_id as movimento_id, i.agente_id as de_id,
                     coalesce((select (e.depois ->> 'agente_id')::uuid from evento e
                               where e.entidade_id = p.id and e.acao = 'aceitar_transferencia'
                                 and e.em >= t.criado_em and e.em <= i.decidida_em order by e.id desc limit 1),
                              p.agente_id) as para_id
              from transferencia_item i join transferencia t on t.id = i.transferencia_id
              join patrimonio p on p.id = i.patrimonio_id {_JOINS}
              where i.transferencia_id = %(id)s and i.estado = 'aceita' order by p.numero"""
    return await _bens(conn, sql, {"id": id_})


async def bens_passados(conn: AsyncConnection[Any], agente_id: UUID) -> list[Bem]:
    """What an agente who left handed over at once, the last time, as the audit says it."""
    sql = f"""with left_ as (select requisicao, em from evento where entidade = 'agente' and entidade_id = %(id)s
                               and acao = 'passar_carga' order by id desc limit 1)
              select {_COLUMNS}, null::uuid as movimento_id, (e.antes ->> 'agente_id')::uuid as de_id,
                     (e.depois ->> 'agente_id')::uuid as para_id
              from left_ join evento e on e.requisicao = left_.requisicao and e.em = left_.em
              join patrimonio p on p.id = e.entidade_id {_JOINS}
              where e.entidade = 'patrimonio' and e.acao = 'passar_carga' and e.antes ->> 'agente_id' = %(id)s::text
              order by p.numero"""
    return await _bens(conn, sql, {"id": agente_id})


async def motivo_da_saida(conn: AsyncConnection[Any], agente_id: UUID) -> str:
    """Why an agente handed everything over, the last time; empty where they never did."""
    sql = """select depois ->> 'motivo' from evento where entidade = 'agente' and entidade_id = %s and acao = 'passar_carga'
             order by id desc limit 1"""
    row = await (await conn.execute(sql, [agente_id])).fetchone()
    return str(row[0]) if row else ""


# Loans and write-offs that were made together, in one transaction of one person and with the same words, are one paper.
_TOGETHER = {
    "emprestimo": ("registrado_por", "agente_id", "tomador", "tomador_doc", "saida", "previsao", "finalidade"),
    "baixa": (
        "registrada_por",
        "motivo",
        "data",
        "justificativa",
        "processo",
        "portaria",
        "membros",
        "laudo",
        "boletim",
    ),
}


# How far apart their numbers may lie: 2,000 at most are made at once, beside what others make meanwhile. There is an index of
# the numbers, and none of the moments.
_SPAN = 20_000


async def _bens_made_together(
    conn: AsyncConnection[Any], table: str, setores: Sequence[UUID] | None, id_: UUID, still: str
) -> list[Bem]:
    same = " and ".join(f"m.{column} is not distinct from o.{column}" for column in _TOGETHER[table])
    to = "m.agente_id" if table == "emprestimo" else "null::uuid"
    sql = f"""select {_COLUMNS}, m.id as movimento_id, p.agente_id as de_id, {to} as para_id
              from {table} o join {table} m on m.numero between o.numero - {_SPAN} and o.numero + {_SPAN}
                                           and m.criado_em = o.criado_em and {same}
              join patrimonio p on p.id = m.patrimonio_id {_JOINS}
              where o.id = %(id)s and {still} and (%(setores)s::uuid[] is null or m.setor_id = any(%(setores)s))
              order by p.numero"""
    return await _bens(conn, sql, {"id": id_, "setores": None if setores is None else list(setores)})


async def bens_do_emprestimo(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> list[Bem]:
    """The assets that were lent together with that of this loan, within reach."""
    return await _bens_made_together(conn, "emprestimo", setores, id_, "true")


async def bens_da_baixa(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> list[Bem]:
    """The assets that were written off together with that of this write-off, within reach; not what was taken back."""
    return await _bens_made_together(conn, "baixa", setores, id_, "m.estornada_em is null")


_REACH = {
    "transferencia": "(m.origem_id = any(%(setores)s) or m.destino_id = any(%(setores)s))",
    "emprestimo": "m.setor_id = any(%(setores)s)",
    "baixa": "m.setor_id = any(%(setores)s)",
}


async def movimento(
    conn: AsyncConnection[Any], table: str, setores: Sequence[UUID] | None, id_: UUID
) -> dict[str, Any] | None:
    """The row of a movement within reach, or None."""
    sql = f"select m.* from {table} m where m.id = %(id)s and (%(setores)s::uuid[] is null or {_REACH[table]})"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, {"id": id_, "setores": None if setores is None else list(setores)})
        return await cursor.fetchone()


async def agente(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> dict[str, Any] | None:
    """An agente within reach, or None."""
    sql = """select a.id, a.nome, a.matricula, a.cargo, a.setor_id, s.codigo || ' · ' || s.nome as setor
             from agente a join setor s on s.id = a.setor_id
             where a.id = %(id)s and (%(setores)s::uuid[] is null or a.setor_id = any(%(setores)s))"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, {"id": id_, "setores": None if setores is None else list(setores)})
        return await cursor.fetchone()


async def agentes(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """These agentes, by name, wherever they work."""
    sql = "select id, nome, matricula, cargo from agente where id = any(%s) order by nome, matricula"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, [list(ids)])
        return await cursor.fetchall()


async def usuario(conn: AsyncConnection[Any], id_: UUID) -> str:
    """The name of an account."""
    row = await (await conn.execute("select nome from usuario where id = %s", [id_])).fetchone()
    return str(row[0]) if row else ""


async def nome_do_setor(conn: AsyncConnection[Any], id_: UUID) -> str:
    """Code and name of a setor."""
    row = await (await conn.execute("select codigo || ' · ' || nome from setor where id = %s", [id_])).fetchone()
    return str(row[0]) if row else ""
