"""API keys of integrations: made, seen, revoked by administrators.

Promises: only an integration has keys; one is good for a year at most, shown once, when it is made, and never stored. A
revoked key opens nothing from then on, in every process. Making and revoking are audited, and so is the use of one that
opens nothing any more (`kernel.api_keys`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sispat.kernel import api_keys, audit, tokens
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _
from sispat.pessoas import accounts, rules
from sispat.pessoas.fields import ListaDeChaves, NovaChave
from sispat.pessoas.listing import AccountsPage, opened, walked
from sispat.pessoas.operator import actor_of
from sispat.pessoas.sql import keys

__all__ = ["Made", "criar", "listar", "nomes", "obter", "revogar"]

_SHOWN = len(api_keys.PREFIX) + 4  # of 43 characters: too few to guess by, enough to tell two keys apart


class Made(NamedTuple):
    """A key, and the secret that is shown this once."""

    row: dict[str, Any]
    secret: str


async def listar(ctx: Context, asked: ListaDeChaves) -> AccountsPage:
    """A page of keys, by name."""
    ctx.access.require(rules.CHAVE_VER)
    after, backwards = opened(asked.cursor)
    rows = await keys.walk(
        ctx.conn, of=asked.integracao_id, in_force=asked.em_vigor, after=after, backwards=backwards,
        limit=asked.limit + 1,
    )  # fmt: skip
    return walked(asked, rows)


async def obter(ctx: Context, id_: UUID) -> dict[str, Any]:
    """One key; raises `NotFound`."""
    ctx.access.require(rules.CHAVE_VER)
    row = await keys.get(ctx.conn, id_)
    if row is None:
        raise NotFound(_("A chave"), id_)
    return row


async def criar(ctx: Context, usuario_id: UUID, data: NovaChave) -> Made:
    """Make a key of an integration. Raises `InvalidData` for a person: they sign in."""
    ctx.access.require(rules.CHAVE_EDITAR)
    owner = await accounts.obter(ctx, usuario_id)
    if not owner["integracao"]:
        told = _("“%(name)s” é uma pessoa, que entra com senha. Só integrações têm chaves.", name=owner["nome"])
        raise InvalidData({"nome": told})
    secret = api_keys.new_key()
    async with ctx.conn.transaction():
        id_ = await keys.insert(
            ctx.conn, usuario_id=usuario_id, hash_=tokens.token_hash(secret), beginning=secret[:_SHOWN], name=data.nome,
            days=data.dias, by=actor_of(ctx),
        )  # fmt: skip
        row = await obter(ctx, id_)
        await _record(ctx, row, "criar", {"expira_em": row["expira_em"]})
    return Made(row, secret)


async def revogar(ctx: Context, id_: UUID) -> dict[str, Any]:
    """End a key at once; as stored. Done already is no error."""
    ctx.access.require(rules.CHAVE_EDITAR)
    async with ctx.conn.transaction():
        if await keys.revoke(ctx.conn, id_):
            await _record(ctx, await obter(ctx, id_), "revogar", {})
    return await obter(ctx, id_)


async def nomes(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What these people, integrations and keys are called."""
    return {**await accounts.nomes(ctx, ids), **(await keys.names(ctx.conn, list(ids)) if ids else {})}


async def _record(ctx: Context, row: Mapping[str, Any], action: str, more: Mapping[str, Any]) -> None:
    named = {name: row[name] for name in ("nome", "inicio", "integracao")}
    await audit.record(
        ctx.conn, actor=actor_of(ctx), request_id=ctx.request_id, entidade="chave", entidade_id=row["id"], acao=action,
        depois={**named, **more},
    )  # fmt: skip
