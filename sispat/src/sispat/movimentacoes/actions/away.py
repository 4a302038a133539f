"""What loans, maintenance and write-offs have in common: assets leave with a row for each; it is closed, and they are back.

Promises: all assets or none; the state of an asset and the row that says why it is in it are one transaction; of two who
close the same row exactly one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.kernel import record_sql
from sispat.kernel.constraints import Sentences, explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _
from sispat.kernel.records import Kind, obter, record
from sispat.movimentacoes.actions.assets import Asset

__all__ = ["close", "locked", "open_for"]


async def open_for(
    ctx: Context,
    kind: Kind,
    found: Sequence[Asset],
    shared: Mapping[str, Any],
    action: str,
    constraints: Sentences,
    own: Mapping[UUID, Mapping[str, Any]] | None = None,
) -> list[str]:
    """Write a row for each of the locked assets; the documents (JSON). `own` is what is not the same for all."""
    rows = [{"patrimonio_id": asset.id, "setor_id": asset.setor_id, **(own or {}).get(asset.id, {})} for asset in found]
    try:
        ids = await record_sql.inserir(ctx.conn, kind.table, shared, rows)
    except errors.IntegrityError as error:
        raise explained(error, constraints) from error
    documents = []
    for id_, row in zip(ids, rows, strict=True):
        await record(ctx, kind, id_, action, None, {**row, **shared})
        documents.append(await obter(ctx, kind, id_))
    return documents


async def locked(ctx: Context, kind: Kind, id_: UUID, open_state: str) -> dict[str, Any]:
    """The open row, locked; raises `NotFound`, or `InvalidData` where it is closed already."""
    found = await record_sql.travar(ctx.conn, kind.table, ctx.access.setores, id_)
    if found is None:
        raise NotFound(str(kind.entity.label), id_)
    if found["estado"] != open_state:
        raise InvalidData(
            {
                "estado": _(
                    "O registro nº %(number)s já está “%(state)s”.",
                    number=found["numero"],
                    state=kind.estados(found["estado"]).label,
                )
            }
        )
    return found


async def close(
    ctx: Context, kind: Kind, found: Mapping[str, Any], changes: Mapping[str, Any], action: str, constraints: Sentences
) -> str:
    """Write into a locked row what ended it, or changed it; its document (JSON)."""
    try:
        await record_sql.atualizar(ctx.conn, kind.table, found["id"], changes)
    except errors.IntegrityError as error:
        raise explained(error, constraints) from error
    await record(ctx, kind, found["id"], action, {name: found[name] for name in changes}, changes)
    return await obter(ctx, kind, found["id"])
