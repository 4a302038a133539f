"""What waits for somebody: transfers to accept, loans and maintenance that are late, warranties that end."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any, NamedTuple

from sispat.kernel import record_sql
from sispat.kernel.context import Context
from sispat.kernel.permissions import Action
from sispat.kernel.records import Kind, query_of
from sispat.movimentacoes import rules
from sispat.movimentacoes.kinds import EMPRESTIMOS, MANUTENCOES, TRANSFERENCIAS

__all__ = ["CEILING", "Waiting", "waiting"]

CEILING = 100  # counted no further


# Who may do something about it, what it is, and the columns of the setores it waits in, where these are not all.
_WAITING: tuple[tuple[Action, Kind, str, tuple[str, ...]], ...] = (
    (rules.DECIDIR_TRANSFERENCIA, TRANSFERENCIAS, rules.EstadoDaTransferencia.PENDENTE, ("destino_id",)),
    (rules.DEVOLVER, EMPRESTIMOS, rules.EstadoDoEmprestimo.ATRASADO, ()),
    (rules.CONCLUIR_MANUTENCAO, MANUTENCOES, rules.EstadoDaManutencao.ATRASADA, ()),
)


class Waiting(NamedTuple):
    """Movements of a kind that wait, the newest of them, and how many there are (`CEILING`: that many or more)."""

    kind: Kind
    estado: str
    number: int
    newest: list[dict[str, Any]]


async def waiting(ctx: Context, today: dt.date, shown: int = 5) -> list[Waiting]:
    """What this person can do something about, within reach, with the newest `shown` of each; kinds of which nothing waits
    are left out.
    """
    found = []
    for action, kind, estado, reach in _WAITING:
        if not ctx.access.may(action):
            continue
        sought = query_of(ctx, kind, kind.asked.parse({"estado": estado}), today, CEILING)
        sought = replace(sought, reach=reach)
        number = await record_sql.contar(ctx.conn, kind.table, sought)
        if number:
            rows = await record_sql.listar(ctx.conn, kind.table, replace(sought, limit=shown))
            found.append(Waiting(kind, estado, number, [json.loads(row.document) for row in rows]))
    return found
