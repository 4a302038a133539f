"""Users and sessions in the database.

Promises: only the sha256 of a session token is stored; a session is valid while its user is active, its
absolute expiry lies ahead and it was seen within the idle limit; ending it works at once everywhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from sispat.domain.permissoes import Acesso, Papel

__all__ = [
    "Credencial",
    "abrir_sessao",
    "credencial",
    "criar_usuario",
    "encerrar_sessao",
    "encerrar_sessoes",
    "limpar_vencidos",
    "sessao",
    "trocar_hash",
]


class Credencial(NamedTuple):
    """What signing in needs to know of a user."""

    usuario_id: UUID
    senha_hash: str
    ativo: bool


async def credencial(conn: AsyncConnection[Any], email: str) -> Credencial | None:
    """The credential stored for an e-mail (lower case), or None."""
    cursor = await conn.execute("select id, senha_hash, ativo from usuario where email = %s", [email])
    linha = await cursor.fetchone()
    return None if linha is None else Credencial(*linha)


async def trocar_hash(conn: AsyncConnection[Any], usuario_id: UUID, senha_hash: str) -> None:
    """Store a password hash made with newer parameters."""
    await conn.execute("update usuario set senha_hash = %s where id = %s", [senha_hash, usuario_id])


async def criar_usuario(
    conn: AsyncConnection[Any], *, email: str, nome: str, papel: Papel, senha_hash: str, setores: list[UUID]
) -> UUID:
    """Insert a user with the setores within their reach; the id."""
    async with conn.transaction():
        cursor = await conn.execute(
            "insert into usuario (email, nome, papel, senha_hash) values (%s, %s, %s, %s) returning id",
            [email, nome, papel, senha_hash],
        )
        linha = await cursor.fetchone()
        assert linha is not None
        await conn.execute(
            "insert into usuario_setor (usuario_id, setor_id) select %s, unnest(%s::uuid[])", [linha[0], setores]
        )
    return UUID(str(linha[0]))


async def abrir_sessao(
    conn: AsyncConnection[Any],
    *,
    token_hash: bytes,
    usuario_id: UUID,
    duracao: timedelta,
    endereco: str,
    navegador: str,
) -> None:
    """Store a new session."""
    await conn.execute(
        "insert into sessao (token_hash, usuario_id, expira_em, endereco, navegador)"
        " values (%s, %s, now() + %s, %s, %s)",
        [token_hash, usuario_id, duracao, endereco, navegador[:300]],
    )


_SESSAO = """
select u.id, u.nome, u.email, u.papel, array(select setor_id from usuario_setor where usuario_id = u.id),
       s.vista_em < now() - interval '1 minute'
from sessao s join usuario u on u.id = s.usuario_id
where s.token_hash = %s and u.ativo and s.expira_em > now() and s.vista_em > now() - %s::interval"""


async def sessao(conn: AsyncConnection[Any], token_hash: bytes, ociosa: timedelta) -> Acesso | None:
    """Whose session this is, or None when there is none that is valid. Being seen is noted once a minute at most."""
    linha = await (await conn.execute(_SESSAO, [token_hash, ociosa])).fetchone()
    if linha is None:
        return None
    if linha[5]:
        await conn.execute("update sessao set vista_em = now() where token_hash = %s", [token_hash])
    return Acesso(linha[0], linha[1], linha[2], Papel(linha[3]), tuple(linha[4]))


async def encerrar_sessao(conn: AsyncConnection[Any], token_hash: bytes) -> None:
    """End a session at once, for every worker."""
    await conn.execute("delete from sessao where token_hash = %s", [token_hash])


async def encerrar_sessoes(conn: AsyncConnection[Any], usuario_id: UUID) -> None:
    """End every session of a user at once."""
    await conn.execute("delete from sessao where usuario_id = %s", [usuario_id])


async def limpar_vencidos(conn: AsyncConnection[Any], lote: int = 5000) -> int:
    """Remove sessions past their expiry and answers kept for repeated requests longer than a day; rows removed."""
    removidas = 0
    for tabela, chave, vencida in (
        ("sessao", "token_hash", "expira_em < now()"),
        ("idempotencia", "(usuario_id, chave)", "criado_em < now() - interval '1 day'"),
    ):
        cursor = await conn.execute(
            f"delete from {tabela} where {chave} in (select {chave.strip('()')} from {tabela} where {vencida} limit %s)",
            [lote],
        )
        removidas += cursor.rowcount
    return removidas
