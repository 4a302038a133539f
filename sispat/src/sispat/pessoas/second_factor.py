"""A second factor: enrolled by its person, asked for after the password, taken away by an administrator.

Promises: the secret is shown until the first code of it was given, and never again; a code is good once; recovery codes are
shown once and only their hashes kept, the secret is stored as kernel.sealing does. How often a code may be wrong is limited
as for passwords, and in the same account. A session whose code is still missing opens nothing else, ends after ten minutes,
and gets a new token with the code.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from esteio.postgres import Database
from sispat.kernel import audit, devices, tokens
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotAuthenticated, NotFound
from sispat.kernel.i18n import _, lazy
from sispat.kernel.permissions import Access
from sispat.kernel.sealing import Sealer
from sispat.kernel.sessions import OpenedSession, Origin, SessionLifetime, access_of
from sispat.pessoas import rules, totp
from sispat.pessoas.attempts import AttemptGuard
from sispat.pessoas.operator import actor_of
from sispat.pessoas.sql import factors, sessions, users

__all__ = ["UNFINISHED", "Enrolment", "ativar", "comecar", "confirmar", "esta_ativo", "recifrar", "retirar"]

UNFINISHED = timedelta(minutes=10)
"""How long a session lives whose code is missing."""

_ISSUER = "SISPAT"
_AT_ONCE = 1000  # secrets read at once
_WRONG = lazy("O código não confere ou já foi usado. Espere o próximo, e veja se a hora do celular está certa.")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the person puts into their app: by hand, or as the address behind the QR code."""

    secret: str
    address: str


async def esta_ativo(ctx: Context) -> bool:
    """Whether the person who asks has a second factor."""
    ctx.access.require(rules.CONTA_PROPRIA)
    return await factors.enrolled(ctx.conn, ctx.access.usuario_id)


async def comecar(ctx: Context, sealer: Sealer) -> Enrolment:
    """A new secret, not yet asked for. Raises `InvalidData` where a second factor is active."""
    ctx.access.require(rules.CONTA_PROPRIA)
    secret = totp.new_secret()
    sealed = sealer.seal(secret, str(ctx.access.usuario_id))
    if not await factors.begin(ctx.conn, ctx.access.usuario_id, sealed):
        raise InvalidData(
            {"codigo": _("O segundo fator já está ativo. Para trocá-lo, peça a um administrador que o retire.")}
        )
    return _enrolment(ctx.access, secret)


async def ativar(ctx: Context, sealer: Sealer, code: str) -> list[str] | Enrolment:
    """With a right code, the recovery codes, said here once; else what was begun, to be tried again.

    Raises `InvalidData` where nothing was begun.
    """
    ctx.access.require(rules.CONTA_PROPRIA)
    async with ctx.conn.transaction():
        factor = await factors.locked(ctx.conn, ctx.access.usuario_id)
        if factor is None or factor.active:
            raise InvalidData({"codigo": _("Comece de novo: não há segundo fator esperando por um código.")})
        secret = sealer.open(factor.secret, str(ctx.access.usuario_id))
        step = totp.accepted_step(secret, code, factor.last_step, time.time())
        if step is None:
            return _enrolment(ctx.access, secret)
        codes = totp.new_recovery_codes()
        await factors.activate(ctx.conn, ctx.access.usuario_id, step, map(totp.recovery_hash, codes))
        await _record(ctx.conn, ctx.access.usuario_id, ctx.actor, ctx.request_id, "ativar_segundo_fator")
    return codes


async def retirar(ctx: Context, id_: UUID) -> None:
    """Take a person's second factor away, and end their sessions; audited. Raises `NotFound` where none is active."""
    ctx.access.require(rules.USUARIO_EDITAR)
    async with ctx.conn.transaction():
        if not await factors.remove(ctx.conn, id_):
            raise NotFound(_("O segundo fator da pessoa"), id_)
        await sessions.end_all(ctx.conn, id_)
        await _record(ctx.conn, id_, actor_of(ctx), ctx.request_id, "retirar_segundo_fator")


async def recifrar(ctx: Context, sealer: Sealer) -> tuple[int, int]:
    """Seal all secrets with the first key that are not; how many were, of how many. Raises `Unopened`, then none was."""
    ctx.access.require(rules.USUARIO_EDITAR)
    done, seen, last = 0, 0, None
    async with ctx.conn.transaction():
        while page := await factors.sealed(ctx.conn, last, _AT_ONCE):
            for id_, stored in page:
                if sealer.outdated(stored, str(id_)):
                    await factors.reseal(ctx.conn, id_, sealer.seal(sealer.open(stored, str(id_)), str(id_)))
                    done += 1
            seen, last = seen + len(page), page[-1][0]
    return done, seen


async def confirmar(
    db: Database, guard: AttemptGuard, sealer: Sealer, access: Access, token: str, code: str, lifetime: SessionLifetime,
    origin: Origin,
) -> OpenedSession:  # fmt: skip
    """Complete a session that lacks a code: the same session with a new token.

    Raises `InvalidData` for a wrong code, `TooManyAttempts`, `NotAuthenticated` where the session is none of these.
    """
    access.require(rules.CONTA_PROPRIA)
    async with db.connection() as conn:
        credential = await users.credential(conn, access.email)
        if credential is None:
            raise NotAuthenticated
        proof = devices.recognize(origin.devices, access.email, credential.password_hash)
        # Charged before the code is looked at, and outside of the transaction: a refusal stays noted.
        attempt = await guard.begin(conn, access.email, origin.address, proof)
    new = tokens.new_token()
    async with db.transaction() as conn:
        how = await _taken(conn, sealer, access.usuario_id, code)
        if how is None:
            raise InvalidData({"codigo": _WRONG})
        old_hash, new_hash = tokens.token_hash(token), tokens.token_hash(new)
        if not await factors.complete_session(conn, old_hash, new_hash, lifetime.absolute):
            raise NotAuthenticated
        completed = await access_of(conn, new, lifetime)
        if completed is None:
            raise NotAuthenticated
        await _record(conn, access.usuario_id, access.usuario_id, origin.request_id, how)
    await guard.forgive(attempt)
    issued = devices.issue(access.email, credential.password_hash)
    return OpenedSession(new, completed, devices.merge(origin.devices, issued, proof))


async def _taken(conn: AsyncConnection[Any], sealer: Sealer, usuario_id: UUID, code: str) -> str | None:
    """What the audit calls the code, which is used up by this; None for a wrong one."""
    factor = await factors.locked(conn, usuario_id)
    if factor is None or not factor.active:
        return None
    # A recovery code still lets in whose secret no key opens any more.
    if await factors.use_recovery(conn, usuario_id, totp.recovery_hash(code)):
        return "usar_codigo_de_recuperacao"
    secret = sealer.open(factor.secret, str(usuario_id))
    step = totp.accepted_step(secret, code, factor.last_step, time.time())
    if step is not None:
        await factors.take(conn, usuario_id, step)
        return "confirmar_codigo"
    return None


def _enrolment(access: Access, secret: str) -> Enrolment:
    return Enrolment(secret, totp.address(secret, access.email, _ISSUER))


async def _record(conn: AsyncConnection[Any], id_: UUID, actor: UUID | None, request_id: str, action: str) -> None:
    await audit.record(conn, actor=actor, request_id=request_id, entidade="usuario", entidade_id=id_, acao=action)
