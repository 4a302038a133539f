"""Whose session a token opens; an API key (`kernel.api_keys`) stands for one.

Promises: only the sha256 of a token is stored; a session is valid while its user is active and their access has
not ended (`entra`, in the database), its absolute expiry lies ahead and it was seen within the idle limit; ending it works at
once in every process. A statement that `guarded` made finds something only while the session is what it was when it was last
looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel import api_keys
from sispat.kernel.api_keys import on_replica
from sispat.kernel.errors import KeyRefused, NotAuthenticated
from sispat.kernel.i18n import _
from sispat.kernel.permissions import Access, Papel, Pending
from sispat.kernel.tokens import token_hash

__all__ = [
    "OpenedSession", "Origin", "Session", "SessionLifetime", "access_of", "access_of_user", "guarded", "remove_expired",
    "session_of", "whose",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionLifetime:
    """How long a session lives: unused at most `idle`, in all at most `absolute`."""

    idle: timedelta = timedelta(hours=8)
    absolute: timedelta = timedelta(hours=24)

    @property
    def noted_every(self) -> timedelta:
        """How long after its last note a session in use is noted as seen again."""
        return min(_NOTED_EVERY, self.idle / 4)


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


class Session(NamedTuple):
    """A valid session: whose it is, and `mark`, which differs whenever anything of that does; API keys have none."""

    access: Access
    mark: str


_SETORES = "array(select setor_id from usuario_setor where usuario_id = u.id order by setor_id)"
_PROVISIONAL = "u.senha_provisoria and not s.sem_senha"
_MARK = f"(u.id, u.nome, u.email, u.papel, {_PROVISIONAL}, s.falta, {_SETORES})::text"
_MAY_ENTER = "entra(u.ativo, u.acesso_fim)"
_VALID = (
    f"sessao s join usuario u on u.id = s.usuario_id where s.token_hash = %s and {_MAY_ENTER} and s.expira_em > now()"
)
_NOTED_EVERY = timedelta(minutes=1)

_SESSION = f"""
select u.id, u.nome, u.email, u.papel, {_SETORES}, s.vista_em < now() - %s::interval, {_PROVISIONAL}, s.falta, {_MARK}
from {_VALID} and s.vista_em > now() - %s::interval"""


# Who is reading waits for nobody: another request of the same session notes it just now.
_SEEN = """
update sessao set vista_em = now()
where token_hash = (select token_hash from sessao where token_hash = %s for no key update skip locked)"""


async def session_of(conn: AsyncConnection[Any], token: str, lifetime: SessionLifetime) -> Session | None:
    """The session that `token` opens, or None when there is none that is valid.

    Being seen is noted once a minute at most, and four times within the idle limit, so that no session in use ends.
    """
    if api_keys.is_key(token):
        access = await api_keys.access_of(conn, token)
        return None if access is None else Session(access, "")
    hashed = token_hash(token)
    row = await (await conn.execute(_SESSION, [lifetime.noted_every, hashed, lifetime.idle])).fetchone()
    if row is None:
        return None
    if row[5] and not on_replica(conn):
        await conn.execute(_SEEN, [hashed])
    access = Access(row[0], row[1], row[2], Papel(row[3]), tuple(row[4]), _pending(row[6], row[7]))
    return Session(access, row[8])


@lru_cache(maxsize=512)
def guarded(sql: str, lifetime: SessionLifetime) -> str:
    """`sql`, a query without side effects, so that it has no rows unless a session is valid and as it was known.

    Two more parameters follow its own: the hash of the token, and the session's mark. A session that has to be noted as
    seen does not count as known: looking it up does that. The condition is looked at once, before anything of `sql` runs.
    """
    noted = f"s.vista_em >= now() - interval '{lifetime.noted_every.total_seconds()} seconds'"
    return f"select * from ({sql}) q where exists (select from {_VALID} and {noted} and {_MARK} = %s)"


async def access_of(conn: AsyncConnection[Any], token: str, lifetime: SessionLifetime) -> Access | None:
    """Whose session `token` opens, or None when there is none that is valid."""
    found = await session_of(conn, token, lifetime)
    return None if found is None else found.access


async def access_of_user(conn: AsyncConnection[Any], usuario_id: UUID | None) -> Access | None:
    """The rights that somebody has now who is not asking; None: they may no longer enter."""
    cursor = await conn.execute(
        f"select u.nome, u.email, u.papel, {_SETORES} from usuario u where u.id = %s and {_MAY_ENTER}", [usuario_id]
    )
    row: Any = await cursor.fetchone()
    return None if row is None else Access(usuario_id, row[0], row[1], Papel(row[2]), tuple(row[3]))  # type: ignore[arg-type]


def _pending(provisional: bool, lacking: Pending | None) -> Pending | None:
    """What comes first: nobody changes a password before the code was given."""
    return lacking if lacking == "codigo" or not provisional else "senha"


async def whose(conn: AsyncConnection[Any], token: str, lifetime: SessionLifetime) -> Session:
    """The session that `token` opens; raises `NotAuthenticated`, of an API key `KeyRefused`."""
    found = await session_of(conn, token, lifetime)
    if found is None:
        if api_keys.is_key(token):
            raise KeyRefused
        raise NotAuthenticated(_("A sessão terminou. Entre de novo para continuar."))
    return found


async def remove_expired(conn: AsyncConnection[Any], limit: int = 5000) -> int:
    """Remove at most `limit` sessions past their absolute expiry; rows removed."""
    cursor = await conn.execute(
        "delete from sessao where token_hash in (select token_hash from sessao where expira_em < now() limit %s)",
        [limit],
    )
    return cursor.rowcount
