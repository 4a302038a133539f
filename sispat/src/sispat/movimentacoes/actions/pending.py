"""What waits for somebody: transfers to accept, loans and maintenance that are late; so too records of other kinds."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sispat.kernel import record_sql
from sispat.kernel.context import Context
from sispat.kernel.permissions import Action
from sispat.kernel.records import Kind, query_of
from sispat.movimentacoes import rules
from sispat.movimentacoes.kinds import EMPRESTIMOS, MANUTENCOES, TRANSFERENCIAS

__all__ = ["CEILING", "MOVEMENTS", "Sought", "Waiting", "waiting"]

CEILING = 100  # counted no further


class Sought(NamedTuple):
    """Who may do something about it, what it is, and the columns of the setores it waits in, where these are not all."""

    action: Action
    kind: Kind
    estado: str
    reach: tuple[str, ...] = ()


MOVEMENTS = (
    Sought(rules.DECIDIR_TRANSFERENCIA, TRANSFERENCIAS, rules.EstadoDaTransferencia.PENDENTE, ("destino_id",)),
    Sought(rules.DEVOLVER, EMPRESTIMOS, rules.EstadoDoEmprestimo.ATRASADO),
    Sought(rules.CONCLUIR_MANUTENCAO, MANUTENCOES, rules.EstadoDaManutencao.ATRASADA),
)


class Waiting(NamedTuple):
    """Records of a kind that wait, the newest of them, and how many there are (`CEILING`: that many or more)."""

    kind: Kind
    estado: str
    number: int
    newest: list[dict[str, Any]]


async def waiting(ctx: Context, today: dt.date, sought: Sequence[Sought], shown: int = 5) -> list[Waiting]:
    """What this person can do something about, within reach, with the newest `shown` of each; kinds of which nothing waits
    are left out.
    """
    found = []
    for action, kind, estado, reach in sought:
        if not ctx.access.may(action):
            continue
        query = query_of(ctx, kind, kind.asked.parse({"estado": estado}), today, CEILING)
        query = replace(query, reach=reach)
        number = await record_sql.contar(ctx.conn, kind.table, query)
        if number:
            # What is late may be old, and nothing may be late among the newest: these few are collected, not walked to. Of a
            # state the newest are the end of an index.
            late = kind.due is not None and estado == kind.due.late
            few = True if number < CEILING else None if late else False
            newest = replace(query, limit=shown, few=few)
            rows = await record_sql.listar(ctx.conn, kind.table, newest)
            found.append(Waiting(kind, estado, number, [json.loads(row.document) for row in rows]))
    return found
