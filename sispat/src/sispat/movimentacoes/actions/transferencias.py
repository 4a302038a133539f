"""Transfers: asked for, accepted, refused, cancelled, item by item or all at once.

Promises: an asset is on its way in one transfer at most; of two who decide at once exactly one does, and the other is told
what was decided. Who gives away asks and may cancel, who receives accepts or refuses: a responsavel for their setores, the
gestao for all. Nothing changes hands before it is accepted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.kernel import audit
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _, lazy
from sispat.kernel.paging import ListPage, cursor_at, place_of
from sispat.kernel.records import obter
from sispat.kernel.situacoes import Situacao
from sispat.kernel.states import Custody, move
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import assets
from sispat.movimentacoes.fields import (
    AceiteDeTransferencia,
    CancelamentoDeTransferencia,
    NovaTransferencia,
    RecusaDeTransferencia,
)
from sispat.movimentacoes.kinds import TRANSFERENCIAS
from sispat.movimentacoes.listing import ListaDeItens
from sispat.movimentacoes.rules import EstadoDaTransferencia
from sispat.movimentacoes.sql import transferencias as sql
from sispat.movimentacoes.sql.assets import take_time
from sispat.patrimonios.actions import CONSTRAINTS as OF_ASSETS
from sispat.patrimonios.custody import named

__all__ = ["CONSTRAINTS", "aceitar", "cancelar", "itens", "pedir", "recusar"]

CONSTRAINTS = {
    "transferencia_destino_id_fkey": ("destino_id", lazy("O setor escolhido não existe.")),
    "transferencia_local_fk": ("local_id", lazy("O local escolhido não pertence a este setor.")),
    "transferencia_agente_id_fkey": ("agente_id", lazy("O agente escolhido não existe.")),
    "transferencia_item_um_pendente": ("numeros", lazy("Um dos bens já está em outra transferência.")),
}


async def pedir(ctx: Context, new: NovaTransferencia) -> list[str]:
    """Ask for a transfer, or one for each setor the assets stand in; their documents (JSON).

    All assets or none: `InvalidData` names those that are not in use where they stand.
    """
    ctx.access.require(rules.PEDIR_TRANSFERENCIA)
    await _require_destination(ctx, new)
    async with ctx.conn.transaction():
        chosen = await (
            assets.with_numbers(ctx, new.numeros)
            if new.carga_de is None
            else assets.all_of(ctx, new.carga_de, "carga_de")
        )
        by_setor: dict[UUID, list[assets.Asset]] = defaultdict(list)
        for each in chosen:
            by_setor[each.setor_id].append(each)
        await move(ctx, [each.id for each in chosen], Situacao.EM_TRANSFERENCIA, "pedir_transferencia")
        return [await _pedir_de(ctx, new, origem, found) for origem, found in by_setor.items()]


async def _pedir_de(ctx: Context, new: NovaTransferencia, origem_id: UUID, found: Sequence[assets.Asset]) -> str:
    if origem_id == new.destino_id and new.local_id is None and new.agente_id is None:
        raise InvalidData(
            {"destino_id": _("Os bens já estão neste setor. Escolha outro, ou o novo local ou responsável.")}
        )
    dados = new.model_dump(exclude={"numeros", "carga_de"})
    try:
        id_, numero = await sql.inserir(ctx.conn, dados, origem_id, found, ctx.actor)
    except errors.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error
    await _record(
        ctx, id_, "pedir_transferencia", None, {"numero": numero, "origem_id": origem_id, **dados, "bens": len(found)}
    )
    return await obter(ctx, TRANSFERENCIAS, id_)


async def _require_destination(ctx: Context, new: NovaTransferencia) -> None:
    """The setor may be any of the city; a local or an agente only of those that the person reaches."""
    await assets.require_setor(ctx, new.destino_id, "destino_id")
    if new.local_id is not None:
        await assets.require_in_reach(ctx, "local", new.local_id, "local_id", new.destino_id)
    if new.agente_id is not None:
        await assets.require_in_reach(ctx, "agente", new.agente_id, "agente_id")


async def aceitar(ctx: Context, id_: UUID, accepted: AceiteDeTransferencia) -> str:
    """Receive items: they stand in the setor of destination from now on, with who answers for them; its document (JSON)."""
    async with ctx.conn.transaction():
        found = await _locked(ctx, id_)
        _require_side(ctx, found.destino_id)
        items = await _pending(ctx, found, accepted.numeros)
        to = await _custody(ctx, found, accepted)
        try:
            # In any setor: they still stand in the one they come from.
            await move(ctx, items, Situacao.EM_USO, "aceitar_transferencia", custody=to, in_any_setor=True)
        except errors.IntegrityError as error:
            raise explained(error, OF_ASSETS) from error
        return await _decide(ctx, found, items, EstadoDaTransferencia.ACEITA, "aceitar_transferencia")


async def recusar(ctx: Context, id_: UUID, refused: RecusaDeTransferencia) -> str:
    """Refuse items: they stay where and with whom they were; its document (JSON)."""
    async with ctx.conn.transaction():
        found = await _locked(ctx, id_)
        _require_side(ctx, found.destino_id)
        items = await _pending(ctx, found, refused.numeros)
        await move(ctx, items, Situacao.EM_USO, "recusar_transferencia", in_any_setor=True)
        estado = EstadoDaTransferencia.RECUSADA
        return await _decide(ctx, found, items, estado, "recusar_transferencia", refused.observacao)


async def cancelar(ctx: Context, id_: UUID, cancelled: CancelamentoDeTransferencia) -> str:
    """Take items back that nobody has accepted yet; its document (JSON)."""
    async with ctx.conn.transaction():
        found = await _locked(ctx, id_)
        _require_side(ctx, found.origem_id)
        items = await _pending(ctx, found, cancelled.numeros)
        await move(ctx, items, Situacao.EM_USO, "cancelar_transferencia", in_any_setor=True)
        return await _decide(ctx, found, items, EstadoDaTransferencia.CANCELADA, "cancelar_transferencia")


async def itens(ctx: Context, id_: UUID, asked: ListaDeItens) -> ListPage:
    """A page of the items of a transfer within reach, by plate number."""
    await obter(ctx, TRANSFERENCIAS, id_)
    rows = await sql.itens(ctx.conn, id_, place_of(f"itens {id_}", asked.cursor), asked.limit + 1)
    shown = rows[: asked.limit]
    following = cursor_at(f"itens {id_}", shown[-1].place) if len(rows) > asked.limit else None
    return ListPage([row.document for row in shown], following)


async def _locked(ctx: Context, id_: UUID) -> sql.Travada:
    ctx.access.require(rules.DECIDIR_TRANSFERENCIA)
    found = await sql.travar(ctx.conn, ctx.access.setores, id_)
    if found is None:
        raise NotFound(str(TRANSFERENCIAS.entity.label), id_)
    return found


def _require_side(ctx: Context, setor_id: UUID) -> None:
    """The other side sees a transfer too, and decides nothing for this one."""
    if not ctx.access.reaches(setor_id):
        raise ctx.access.refused(rules.DECIDIR_TRANSFERENCIA)


async def _pending(ctx: Context, found: sql.Travada, numeros: Sequence[int]) -> list[UUID]:
    """The items that are meant: those of `numeros`, or all that are pending; raises `InvalidData` where one is not."""
    pending = {item.numero: item.patrimonio_id for item in await sql.pendentes(ctx.conn, found.id)}
    if not pending:
        state = EstadoDaTransferencia(found.estado).label
        raise InvalidData(
            {"estado": _("A transferência %(number)s já foi decidida: “%(state)s”.", number=found.numero, state=state)}
        )
    others = sorted(set(numeros) - pending.keys())
    if others:
        raise InvalidData(
            {"numeros": _("Não estão pendentes nesta transferência: %(numbers)s.", numbers=named(others))}
        )
    if len(pending) > rules.DE_UMA_VEZ:
        await take_time(ctx.conn)
    return [pending[numero] for numero in sorted(set(numeros))] or list(pending.values())


async def _custody(ctx: Context, found: sql.Travada, accepted: AceiteDeTransferencia) -> Custody:
    local_id, agente_id = accepted.local_id or found.local_id, accepted.agente_id or found.agente_id
    if local_id is None:
        raise InvalidData({"local_id": _("Escolha onde os bens ficam.")})
    if agente_id is None:
        raise InvalidData({"agente_id": _("Escolha quem responde pelos bens.")})
    if accepted.local_id is not None:
        await assets.require_in_reach(ctx, "local", local_id, "local_id", found.destino_id)
    if accepted.agente_id is not None:
        await assets.require_in_reach(ctx, "agente", agente_id, "agente_id")
    return Custody(found.destino_id, local_id, agente_id)


async def _decide(
    ctx: Context, found: sql.Travada, items: Sequence[UUID], estado: EstadoDaTransferencia, action: str, why: str = ""
) -> str:
    before, after = await sql.decidir(ctx.conn, found.id, items, estado, why, ctx.actor)
    told: dict[str, Any] = {"estado": after, "decididos": len(items)}
    await _record(ctx, found.id, action, {"estado": before}, {**told, "observacao": why} if why else told)
    return await obter(ctx, TRANSFERENCIAS, found.id)


async def _record(ctx: Context, id_: UUID, action: str, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    await audit.record(
        ctx.conn, actor=ctx.actor, key_id=ctx.key_id, request_id=ctx.request_id, entidade="transferencia", entidade_id=id_,
        acao=action, antes=before, depois=after,
    )  # fmt: skip
