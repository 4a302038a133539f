"""Changing one's own password.

Promises: the present one is asked for, and how often one may fail is limited as at sign-in; a changed one ends all other
sessions of the person, and is audited. The new one follows the rules of pessoas.password_rules.
"""

from __future__ import annotations

from esteio.postgres import Database
from sispat.kernel import audit, devices, tokens
from sispat.kernel.errors import InvalidData, NotAuthenticated
from sispat.kernel.i18n import _
from sispat.kernel.permissions import Access
from sispat.kernel.sessions import OpenedSession, Origin
from sispat.pessoas import passwords, rules
from sispat.pessoas.attempts import AttemptGuard
from sispat.pessoas.fields import TrocaDaPropriaSenha
from sispat.pessoas.sql import accounts, sessions, users

__all__ = ["trocar"]


async def trocar(
    db: Database, guard: AttemptGuard, access: Access, token: str, typed: TrocaDaPropriaSenha, origin: Origin
) -> OpenedSession:
    """Store the new password; the session goes on. Raises `InvalidData`, or `TooManyAttempts` where too many failed.

    No connection is held while passwords are being checked: that takes tens of milliseconds.
    """
    access.require(rules.CONTA_PROPRIA)
    passwords.check(typed.nova, access.email, access.nome, field="nova")
    async with db.connection() as conn:
        credential = await users.credential(conn, access.email)
        if credential is None:
            raise NotAuthenticated
        proof = devices.recognize(origin.devices, access.email, credential.password_hash)
        attempt = await guard.begin(conn, access.email, origin.address, proof)
    if not await passwords.verify(typed.atual, credential.password_hash):
        raise InvalidData({"atual": _("A senha atual não confere.")})
    await guard.forgive(attempt)
    if typed.nova == typed.atual:
        raise InvalidData({"nova": _("A senha nova é igual à atual. Escolha outra.")})
    hashed = await passwords.hash_aside(typed.nova)
    async with db.transaction() as conn:
        same = await accounts.set_password(
            conn, access.usuario_id, hashed, provisional=False, instead_of=credential.password_hash
        )
        if not same:  # somebody else gave a password meanwhile: theirs counts
            raise InvalidData({"atual": _("A senha foi trocada neste meio-tempo. Entre de novo com a que vale agora.")})
        ended = await sessions.end_all(conn, access.usuario_id, but=tokens.token_hash(token))
        await audit.record(
            conn,
            actor=access.usuario_id,
            request_id=origin.request_id,
            entidade="usuario",
            entidade_id=access.usuario_id,
            acao="trocar_senha",
            depois={"sessoes": ended} if ended else None,
        )
    return OpenedSession(token, access, devices.merge(origin.devices, devices.issue(access.email, hashed), proof))
