"""The one way an asset changes its state.

Promises: `move` takes all of the assets or none. The rows are locked in the order of their ids, so that two moves of the
same assets wait for each other and never deadlock; the transition table is asked about the state that is locked, not
about one read before; each change is audited in the same statement. Nothing else writes `patrimonio.situacao` (a test
looks for it) but the INSERT of a new asset, which is `em_uso`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.i18n import _
from sispat.kernel.situacoes import Situacao, require_open

__all__ = ["Custody", "move"]


class Custody(NamedTuple):
    """Where assets stand and who answers for them; None: as it is for each."""

    setor_id: UUID | None = None
    local_id: UUID | None = None
    agente_id: UUID | None = None


# The lock is taken above the sort, hence in its order. "No key": rows that refer to the asset are not kept waiting.
_LOCK = """
select id, numero, situacao from patrimonio
where id = any(%(ids)s) and (%(setores)s::uuid[] is null or setor_id = any(%(setores)s))
order by id for no key update"""

_MOVE = """
with old as (
    select id, situacao from patrimonio where id = any(%(ids)s)
), new as (
    update patrimonio p set situacao = %(to)s, versao = p.versao + 1, atualizado_em = now()
    from old where p.id = old.id returning p.id, p.situacao
)
insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', id, %(because)s, to_jsonb(old) - 'id', to_jsonb(new) - 'id'
from old join new using (id)"""

_MOVE_AND_HAND_OVER = """
with old as (
    select id, situacao, setor_id, local_id, agente_id from patrimonio where id = any(%(ids)s)
), new as (
    update patrimonio p set situacao = %(to)s, versao = p.versao + 1, atualizado_em = now(),
        setor_id = coalesce(%(setor_id)s, p.setor_id), local_id = coalesce(%(local_id)s, p.local_id),
        agente_id = coalesce(%(agente_id)s, p.agente_id)
    from old where p.id = old.id returning p.id, p.situacao, p.setor_id, p.local_id, p.agente_id
)
insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', id, %(because)s, to_jsonb(old) - 'id', to_jsonb(new) - 'id'
from old join new using (id)"""


async def move(
    ctx: Context,
    ids: Iterable[UUID],
    to: Situacao,
    because: str,
    *,
    custody: Custody | None = None,
    in_any_setor: bool = False,
    reversing: bool = False,
) -> None:
    """Move the assets to `to`; `because` is what the audit calls it, such as `enviar_para_manutencao`.

    `custody` changes with the state, in the same record of the audit. `in_any_setor`: the use case knows by another record
    that these assets are the person's to move, such as a transfer to a setor of theirs. `reversing`: what led to their
    state is taken back (`situacoes.REVERSALS`). The permission is the use case's to ask. Raises `NotFound` for an asset
    that is not there or out of reach, and `InvalidData` for one from whose state the way is closed; then no asset is moved.
    """
    wanted = set(ids)
    async with ctx.conn.transaction():
        setores = None if in_any_setor or ctx.access.setores is None else list(ctx.access.setores)
        cursor = await ctx.conn.execute(_LOCK, {"ids": list(wanted), "setores": setores})
        rows: list[tuple[UUID, int, str]] = await cursor.fetchall()
        for missing in sorted(wanted - {row[0] for row in rows}):
            raise NotFound(_("O bem"), missing)
        for _id, numero, state in rows:
            require_open(numero, Situacao(state), to, reversing=reversing)
        values = {
            "ids": [row[0] for row in rows],
            "to": to,
            "actor": ctx.actor,
            "key_id": ctx.key_id,
            "request_id": ctx.request_id,
            "because": because,
        }
        if custody is None:
            await ctx.conn.execute(_MOVE, values)
        else:
            await ctx.conn.execute(_MOVE_AND_HAND_OVER, values | custody._asdict())
