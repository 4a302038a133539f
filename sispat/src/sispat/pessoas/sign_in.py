"""Signing in and out.

Promises: wrong e-mail, wrong password and retired user look the same, in words and in time; that an access has ended, and
when, is told only to who knows its password. How often one may fail is
limited (pessoas.attempts). A provisional password opens nothing once it is older than the settings allow. A password hash
made with older parameters is renewed at the next sign-in. Both are audited, and so is each attempt that failed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from esteio.postgres import Database
from sispat.kernel import audit, devices, tokens
from sispat.kernel.context import Context
from sispat.kernel.errors import AccessEnded, NotAuthenticated
from sispat.kernel.i18n import _
from sispat.kernel.permissions import Access, Pending
from sispat.kernel.sessions import OpenedSession, Origin, SessionLifetime, access_of
from sispat.pessoas import passwords, rules
from sispat.pessoas.attempts import AttemptGuard
from sispat.pessoas.fields import Credenciais
from sispat.pessoas.second_factor import UNFINISHED
from sispat.pessoas.sql import users
from sispat.pessoas.sql.users import Credential

__all__ = ["begin_session", "entrar", "lacking", "sair"]


async def entrar(
    db: Database,
    guard: AttemptGuard,
    typed: Credenciais,
    lifetime: SessionLifetime,
    origin: Origin,
    need_second_factor: frozenset[str] = frozenset(),
    provisional_for: timedelta = timedelta(days=7),
) -> OpenedSession:
    """Check the credentials and open a session. Raises `NotAuthenticated`, or `TooManyAttempts` where too many failed.

    `need_second_factor` are the roles that have to enrol one; `provisional_for` is how long a provisional password is good.
    Where a code is missing, the session is good for nothing else (`second_factor.confirmar`), and the browser is not yet
    remembered: its attempts are still the account's.

    No connection is held while the password is being checked: that takes tens of milliseconds.
    """
    email = typed.email.lower()
    async with db.connection() as conn:
        credential = await users.credential(conn, email)
        proof = devices.recognize(origin.devices, email, credential and credential.password_hash)
        attempt = await guard.begin(conn, email, origin.address, proof)
    right = await passwords.verify(typed.senha, credential and credential.password_hash)
    if not right or credential is None or not credential.active:
        await _record_failure(db, email, credential and credential.usuario_id, origin)
        raise NotAuthenticated(_("E-mail ou senha incorretos."))
    if credential.ended is not None:
        await _record_failure(db, email, credential.usuario_id, origin, credential.ended)
        raise AccessEnded(credential.ended)
    if credential.provisional_for is not None and credential.provisional_for > provisional_for:
        await _record_failure(db, email, credential.usuario_id, origin)
        raise NotAuthenticated(_("A senha provisória venceu. Peça outra a um administrador."))
    await guard.forgive(attempt)
    missing = lacking(credential, need_second_factor)
    token = tokens.new_token()
    password_hash = credential.password_hash
    if passwords.needs_rehash(password_hash):
        password_hash = await passwords.hash_aside(typed.senha)
    async with db.transaction() as conn:
        if password_hash is not credential.password_hash:
            await users.set_password_hash(conn, credential.usuario_id, password_hash)
        access = await begin_session(conn, token, credential, missing, lifetime, origin)
        if access is None:  # retired between the two looks
            raise NotAuthenticated(_("E-mail ou senha incorretos."))
        await _record(conn, access, origin.request_id, "entrar_com_senha" if missing == "codigo" else "entrar")
    if missing == "codigo":
        return OpenedSession(token, access, "")
    new = devices.issue(email, password_hash)
    return OpenedSession(token, access, devices.merge(origin.devices, new, proof))


def lacking(credential: Credential, need_second_factor: frozenset[str]) -> Pending | None:
    """What the person still has to do, besides a password that is provisional."""
    if credential.second_factor:
        return "codigo"
    return "fator" if credential.papel in need_second_factor else None


async def begin_session(
    conn: AsyncConnection[Any],
    token: str,
    credential: Credential,
    missing: Pending | None,
    lifetime: SessionLifetime,
    origin: Origin,
    *,
    by_provider: bool = False,
) -> Access | None:
    """Store the session of `token`, and what it may do; None: the person was retired meanwhile.

    Where a code is `missing`, it lasts only until that should have been typed.
    """
    await users.open_session(
        conn,
        token_hash=tokens.token_hash(token),
        usuario_id=credential.usuario_id,
        duration=UNFINISHED if missing == "codigo" else lifetime.absolute,
        address=origin.address,
        user_agent=origin.user_agent,
        lacking=missing,
        by_provider=by_provider,
    )
    return await access_of(conn, token, lifetime)


async def sair(ctx: Context, token: str) -> None:
    """End the session at once, for every worker."""
    ctx.access.require(rules.CONTA_PROPRIA)
    async with ctx.conn.transaction():
        await users.end_session(ctx.conn, tokens.token_hash(token))
        await _record(ctx.conn, ctx.access, ctx.request_id, "sair")


async def _record(conn: AsyncConnection[Any], access: Access, request_id: str, acao: str) -> None:
    await audit.record(
        conn,
        actor=access.usuario_id,
        request_id=request_id,
        entidade="usuario",
        entidade_id=access.usuario_id,
        acao=acao,
    )


async def _record_failure(
    db: Database, email: str, usuario_id: UUID | None, origin: Origin, ended: dt.date | None = None
) -> None:
    """How often this may happen is limited (pessoas.attempts), and so is what it adds to the audit.

    An e-mail that is nobody's is kept as a digest: it may be a password typed into the wrong field. Written in both
    cases, so that the two take the same time.
    """
    nobody = UUID(bytes=hashlib.sha256(email.encode("utf-8", "surrogatepass")).digest()[:16])
    async with db.transaction() as conn:
        await audit.record(
            conn,
            actor=None,
            request_id=origin.request_id,
            entidade="usuario",
            entidade_id=usuario_id or nobody,
            acao="entrar_recusado",
            depois={"endereco": origin.address} | ({"acesso_ate": ended} if ended else {}),
        )
