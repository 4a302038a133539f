"""Reconciliations in the database. Neither a reconciliation nor an account of it is ever changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

__all__ = ["Balance", "Written", "contas", "inserir_contas", "nomes", "saldos", "travar_fechamento"]


class Balance(NamedTuple):
    """What the office has in an account at the end of a closed month; `acumulada` is depreciation and impairment."""

    conta: str
    nome: str
    bruto: Decimal
    acumulada: Decimal


class Written(NamedTuple):
    """An account in both books."""

    conta: str
    nome: str
    bruto: Decimal
    acumulada: Decimal
    contabil_bruto: Decimal
    contabil_acumulada: Decimal
    justificativa: str


async def travar_fechamento(conn: AsyncConnection[Any], competencia: dt.date) -> int | None:
    """The number of the closing of this month, which cannot be reopened meanwhile; None: the month is not closed."""
    cursor = await conn.execute(
        "select numero from fechamento where competencia = %s and reaberto_em is null for share", [competencia]
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def saldos(conn: AsyncConnection[Any], fechamento: int) -> list[Balance]:
    """The balances of a closing, account by account."""
    async with conn.cursor(row_factory=class_row(Balance)) as cursor:
        await cursor.execute(
            """select conta, nome, bruto, acumulada + perda as acumulada from fechamento_conta where fechamento = %s
               and (bruto <> 0 or acumulada <> 0 or perda <> 0) order by conta""",
            [fechamento],
        )
        return await cursor.fetchall()


async def nomes(conn: AsyncConnection[Any], contas: Sequence[str]) -> dict[str, str]:
    """What the accounts among `contas` are called that a class has."""
    cursor = await conn.execute("select conta, nome from classe where conta = any(%s)", [list(contas)])
    return dict(await cursor.fetchall())


async def inserir_contas(conn: AsyncConnection[Any], id_: UUID, written: Sequence[Written]) -> None:
    """Write the accounts of a reconciliation."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            """insert into conciliacao_conta (conciliacao_id, conta, nome, bruto, acumulada, contabil_bruto,
                   contabil_acumulada, justificativa) values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [(id_, *each) for each in written],
        )


async def contas(conn: AsyncConnection[Any], id_: UUID) -> list[dict[str, Any]]:
    """The accounts of a reconciliation; those that differ first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select conta, nome, bruto, contabil_bruto, diferenca_bruto, acumulada, contabil_acumulada, diferenca_acumulada,
                      justificativa
               from conciliacao_conta where conciliacao_id = %s
               order by diferenca_bruto = 0 and diferenca_acumulada = 0, conta""",
            [id_],
        )
        return await cursor.fetchall()
