"""Whose session a token opens; an API key (`kernel.api_keys`) stands for one.

Promises: only the sha256 of a token is stored; a session is valid while its user is active, its absolute expiry lies
ahead and it was seen within the idle limit; ending it works at once in every process.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from sispat.kernel import api_keys
from sispat.kernel.errors import KeyRefused, NotAuthenticated
from sispat.kernel.i18n import _
from sispat.kernel.permissions import Access, Papel, Pending
from sispat.kernel.tokens import token_hash

__all__ = ["OpenedSession", "Origin", "SessionLifetime", "access_of", "remove_expired", "whose"]


@dataclass(frozen=True, slots=True)
class SessionLifetime:
    """How long a session lives: unused at most `idle`, in all at most `absolute`."""

    idle: timedelta = timedelta(hours=8)
    absolute: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an attempt to sign in comes from; `devices` is what the browser kept of earlier sign-ins."""

    address: str
    user_agent: str
    request_id: str
    devices: str = ""


class OpenedSession(NamedTuple):
    """A session that was opened: its token, whose it is, and what the browser is to keep (`kernel.devices`)."""

    token: str
    access: Access
    devices: str


_SESSION = """
select u.id, u.nome, u.email, u.papel, array(select setor_id from usuario_setor where usuario_id = u.id),
       s.vista_em < now() - least(interval '1 minute', %s::interval / 4), u.senha_provisoria, s.falta
from sessao s join usuario u on u.id = s.usuario_id
where s.token_hash = %s and u.ativo and s.expira_em > now() and s.vista_em > now() - %s::interval"""


# Who is reading waits for nobody: another request of the same session notes it just now.
_SEEN = """
update sessao set vista_em = now()
where token_hash = (select token_hash from sessao where token_hash = %s for no key update skip locked)"""


async def access_of(conn: AsyncConnection[Any], token: str, lifetime: SessionLifetime) -> Access | None:
    """Whose session this is, or None when there is none that is valid.

    Being seen is noted once a minute at most, and four times within the idle limit, so that no session in use ends.
    """
    if api_keys.is_key(token):
        return await api_keys.access_of(conn, token)
    hashed = token_hash(token)
    row = await (await conn.execute(_SESSION, [lifetime.idle, hashed, lifetime.idle])).fetchone()
    if row is None:
        return None
    if row[5]:
        await conn.execute(_SEEN, [hashed])
    return Access(row[0], row[1], row[2], Papel(row[3]), tuple(row[4]), _pending(row[6], row[7]))


def _pending(provisional: bool, lacking: Pending | None) -> Pending | None:
    """What comes first: nobody changes a password before the code was given."""
    return lacking if lacking == "codigo" or not provisional else "senha"


async def whose(conn: AsyncConnection[Any], token: str, lifetime: SessionLifetime) -> Access:
    """Whose session `token` opens; raises `NotAuthenticated`, of an API key `KeyRefused`."""
    access = await access_of(conn, token, lifetime)
    if access is None:
        if api_keys.is_key(token):
            raise KeyRefused
        raise NotAuthenticated(_("A sessão terminou. Entre de novo para continuar."))
    return access


async def remove_expired(conn: AsyncConnection[Any], limit: int = 5000) -> int:
    """Remove at most `limit` sessions past their absolute expiry; rows removed."""
    cursor = await conn.execute(
        "delete from sessao where token_hash in (select token_hash from sessao where expira_em < now() limit %s)",
        [limit],
    )
    return cursor.rowcount
