"""Jobs: look at them, cancel them.

Promises: whose job it is sees and cancels it, and an administrator all of them; for anybody else it does not exist. That one
was cancelled is audited in the same transaction.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.i18n import _
from sispat.kernel.jobs import queue
from sispat.tarefas import rules
from sispat.tarefas.fields import ListaDeTarefas

__all__ = ["cancelar", "listar", "obter"]

Row = dict[str, Any]


async def listar(ctx: Context, asked: ListaDeTarefas) -> tuple[list[Row], str | None]:
    """A page, newest first, and where the next one begins."""
    ctx.access.require(rules.VER)
    person = None if ctx.access.may(rules.VER_TODAS) else ctx.actor
    rows = await queue.page(ctx.conn, person, asked.before, asked.limit + 1)
    shown = rows[: asked.limit]
    return shown, str(shown[-1]["numero"]) if len(rows) > asked.limit else None


async def obter(ctx: Context, id_: UUID) -> Row:
    """One job."""
    ctx.access.require(rules.VER)
    row = await queue.one(ctx.conn, id_)
    if row is None or not (row["pedida_por"] == ctx.actor or ctx.access.may(rules.VER_TODAS)):
        raise NotFound(_("A tarefa"), id_)
    return row


async def cancelar(ctx: Context, id_: UUID) -> Row:
    """Ask for its end; the job as it is then. One that has ended stays as it ended: its state says whether it was done."""
    before = await obter(ctx, id_)
    state = await queue.cancel(ctx.conn, id_)
    if state is not None:
        await audit.record(
            ctx.conn,
            **ctx.author._asdict(),
            entidade="tarefa",
            entidade_id=id_,
            acao="cancelar_tarefa",
            depois={"nome": before["tipo"], "numero": before["numero"]},
        )
    return await obter(ctx, id_)
