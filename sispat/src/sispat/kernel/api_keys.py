"""API keys: how a program asks as an integration, which nobody signs in to.

Promises: a key is `sispat_` and 256 random bits, of which only the sha256 is stored; it opens what the integration's
role and setores open, but nothing of one's own account (`Action.in_person`), while the key is neither revoked nor expired, and
its integration is active and its access has not ended (`entra`). One round trip says whose it is; that it was used is written
once a minute at most.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel import audit
from sispat.kernel.permissions import Access, Papel
from sispat.kernel.tokens import new_token, token_hash

__all__ = ["PREFIX", "access_of", "is_key", "new_key", "on_replica", "record_refusal"]

PREFIX = "sispat_"
"""Begins each key, so that scanners for secrets, and the people they warn, know what it is."""

_KEY = """
select u.id, u.nome, u.email, u.papel, array(select setor_id from usuario_setor where usuario_id = u.id),
       k.usada_em is null or k.usada_em < now() - interval '1 minute', k.id
from chave_api k join usuario u on u.id = k.usuario_id
where k.hash = %s and entra(u.ativo, u.acesso_fim) and k.revogada_em is null and k.expira_em > now()"""

# Who is reading waits for nobody: another request with the same key notes it just now.
_USED = """
update chave_api set usada_em = now()
where id = (select id from chave_api where id = %s for no key update skip locked)"""

# Once an hour: a program that was forgotten goes on asking, and the audit only grows.
_REFUSED = """
update chave_api k set recusada_em = now() from usuario u
where u.id = k.usuario_id and k.hash = %s and (k.recusada_em is null or k.recusada_em < now() - interval '1 hour')
  and (k.revogada_em is not null or k.expira_em <= now() or not entra(u.ativo, u.acesso_fim))
returning k.id, k.nome"""


def new_key() -> str:
    """A fresh key."""
    return PREFIX + new_token()


def is_key(token: str) -> bool:
    """Whether `token` is one of these, not a session's."""
    return token.startswith(PREFIX)


def on_replica(conn: AsyncConnection[Any]) -> bool:
    """Whether its server only replays what a primary does, so that nothing can be noted there; asked without a round trip."""
    return conn.pgconn.parameter_status(b"in_hot_standby") == b"on"


async def access_of(conn: AsyncConnection[Any], key: str) -> Access | None:
    """As whom `key` asks, or None where it opens nothing."""
    row = await (await conn.execute(_KEY, [token_hash(key)])).fetchone()
    if row is None:
        return None
    if row[5] and not on_replica(conn):
        await conn.execute(_USED, [row[6]])
    return Access(row[0], row[1], row[2], Papel(row[3]), tuple(row[4]), key_id=UUID(str(row[6])))


async def record_refusal(conn: AsyncConnection[Any], key: str, request_id: str, address: str) -> None:
    """Write into the audit that a key which opens nothing any more was used; of one that never was, nothing is known."""
    row = await (await conn.execute(_REFUSED, [token_hash(key)])).fetchone()
    if row is not None:
        await audit.record(
            conn, actor=None, request_id=request_id, entidade="chave", entidade_id=row[0], acao="usar_chave_recusada",
            depois={"nome": row[1], "endereco": address},
        )  # fmt: skip
