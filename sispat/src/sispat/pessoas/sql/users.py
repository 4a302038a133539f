"""Users and sessions in the database.

Promises: only the sha256 of a session token is stored; ending a session works at once everywhere. Whose session a token
opens is looked up by kernel.sessions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.permissions import Papel, Pending

__all__ = ["Column", "Credential", "credential", "end_session", "open_session", "set_password_hash", "setores_by_code"]


class Credential(NamedTuple):
    """What signing in needs to know of a user; an integration is not `active`: it has no password."""

    usuario_id: UUID
    password_hash: str
    active: bool
    second_factor: bool
    papel: Papel
    ended: dt.date | None = None
    """The last day of an access that has ended; None: it has not."""
    provisional_for: timedelta | None = None
    """How long ago a password that still has to be changed was given."""


Column = Literal["email", "cpf"]


async def credential(conn: AsyncConnection[Any], value: str, column: Column = "email") -> Credential | None:
    """The credential stored for an e-mail (lower case) or CPF, or None."""
    cursor = await conn.execute(
        f"""select u.id, u.senha_hash, u.ativo and not u.integracao, coalesce(f.ativo, false), u.papel,
                  case when u.acesso_fim <= now() then u.acesso_ate end,
                  case when u.senha_provisoria then now() - u.senha_dada_em end
           from usuario u left join segundo_fator f on f.usuario_id = u.id where u.{column} = %s""",
        [value],
    )
    row = await cursor.fetchone()
    return None if row is None else Credential(row[0], row[1], row[2], row[3], Papel(row[4]), row[5], row[6])


async def set_password_hash(conn: AsyncConnection[Any], usuario_id: UUID, password_hash: str) -> None:
    """Store a password hash made with newer parameters."""
    await conn.execute("update usuario set senha_hash = %s where id = %s", [password_hash, usuario_id])


async def open_session(
    conn: AsyncConnection[Any],
    *,
    token_hash: bytes,
    usuario_id: UUID,
    duration: timedelta,
    address: str,
    user_agent: str,
    lacking: Pending | None = None,
    by_provider: bool = False,
) -> None:
    """Store a new session; `lacking`: what has to be done with it first; `by_provider`: opened without the password."""
    await conn.execute(
        "insert into sessao (token_hash, usuario_id, expira_em, endereco, navegador, falta, sem_senha)"
        " values (%s, %s, now() + %s, %s, %s, %s, %s)",
        [token_hash, usuario_id, duration, address, user_agent[:300], lacking, by_provider],
    )


async def end_session(conn: AsyncConnection[Any], token_hash: bytes) -> None:
    """End a session at once, for every worker."""
    await conn.execute("delete from sessao where token_hash = %s", [token_hash])


async def setores_by_code(conn: AsyncConnection[Any], codes: Sequence[str]) -> dict[str, UUID]:
    """The ids of the setores with these codes; unknown codes are left out."""
    cursor = await conn.execute("select codigo, id from setor where codigo = any(%s)", [list(codes)])
    return dict(await cursor.fetchall())
