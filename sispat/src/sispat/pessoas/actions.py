"""Accounts, as far as the operator's commands make and change them, and blocks of signing in, for administrators.

Promises: the password is checked for length and stored only as its hash; a changed one ends all sessions of the
person. All of it is audited, without the password. Whoever has the operator's command line needs no role.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, errors

from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.pessoas import passwords, rules
from sispat.pessoas.fields import NovoUsuario, TrocaDeSenha
from sispat.pessoas.sql import bloqueios, users

__all__ = ["CONSTRAINTS", "bloqueios_em_vigor", "criar", "liberar", "trocar_senha"]

CONSTRAINTS = {"usuario_email_unico": ("email", "Já existe um usuário com este e-mail.")}

_BY_COMMAND = "linha de comando"  # in place of the request's id


async def criar(conn: AsyncConnection[Any], new: NovoUsuario) -> UUID:
    """Make the person; the id. Raises `InvalidData` for an e-mail in use or a setor that is not there."""
    password_hash = await asyncio.to_thread(passwords.hash_password, new.senha)
    try:
        async with conn.transaction():
            setores = await _setores(conn, new.setores)
            id_ = await users.insert_user(
                conn, email=new.email, nome=new.nome, papel=new.papel, password_hash=password_hash, setores=setores
            )
            stored = {"email": new.email, "nome": new.nome, "papel": new.papel, "setores": list(new.setores)}
            await _record(conn, id_, "criar", stored)
    except errors.UniqueViolation:
        raise InvalidData({"email": f"já existe uma pessoa com “{new.email}”; use outro e-mail"}) from None
    return id_


async def trocar_senha(conn: AsyncConnection[Any], troca: TrocaDeSenha) -> None:
    """Store the new password and end the person's sessions; raises `NotFound`."""
    password_hash = await asyncio.to_thread(passwords.hash_password, troca.senha)
    async with conn.transaction():
        credential = await users.credential(conn, troca.email)
        if credential is None:
            raise NotFound("A pessoa", troca.email)
        await users.set_password_hash(conn, credential.usuario_id, password_hash)
        await users.end_sessions(conn, credential.usuario_id)
        await _record(conn, credential.usuario_id, "trocar_senha", {})


async def _setores(conn: AsyncConnection[Any], codes: tuple[str, ...]) -> list[UUID]:
    found = await users.setores_by_code(conn, codes)
    missing = [code for code in codes if code not in found]
    if missing:
        raise InvalidData({"setor": f"não existe nenhum com o código {', '.join(missing)}"})
    return list(found.values())


async def _record(conn: AsyncConnection[Any], id_: UUID, acao: str, depois: dict[str, Any]) -> None:
    await audit.record(
        conn, actor=None, request_id=_BY_COMMAND, entidade="usuario", entidade_id=id_, acao=acao, depois=depois
    )


async def bloqueios_em_vigor(ctx: Context) -> list[dict[str, Any]]:
    """What is blocked now, the newest first."""
    ctx.access.require(rules.BLOQUEIO_VER)
    return await bloqueios.in_force(ctx.conn)


async def liberar(ctx: Context, id_: UUID) -> None:
    """Lift a block at once, on every machine; audited. Raises `NotFound` for one that ended already."""
    ctx.access.require(rules.BLOQUEIO_LIBERAR)
    async with ctx.conn.transaction():
        before = await bloqueios.lift(ctx.conn, id_)
        if before is None:
            raise NotFound("O bloqueio", id_)
        await audit.record(
            ctx.conn,
            actor=ctx.actor,
            request_id=ctx.request_id,
            entidade="bloqueio",
            entidade_id=id_,
            acao="liberar",
            antes={column: value for column, value in before.items() if value is not None},
        )
