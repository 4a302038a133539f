"""People who may sign in, as far as the operator's commands make and change them.

Promises: the password is checked for length and stored only as its hash; a changed one ends all sessions of the
person. Both are audited, without the password. Whoever has the operator's command line needs no role.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from psycopg import AsyncConnection, errors
from pydantic import AfterValidator, Field

from sispat.domain.erros import DadosInvalidos, NaoEncontrado
from sispat.domain.permissoes import Papel
from sispat.identity import senhas
from sispat.store import eventos, identidade
from sispat.usecases.entradas import Entrada, Legivel

__all__ = ["NovoUsuario", "TrocaDeSenha", "criar", "trocar_senha"]

Email = Annotated[
    str, Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(str.lower), Legivel
]
Senha = Annotated[str, Field(min_length=8, max_length=200, repr=False)]

_REQUISICAO = "linha de comando"


class NovoUsuario(Entrada):
    """A person to be made; `setores` are codes."""

    email: Email
    nome: Annotated[str, Field(min_length=1, max_length=120), Legivel]
    papel: Papel
    senha: Senha
    setores: tuple[str, ...] = ()


class TrocaDeSenha(Entrada):
    """A new password for a person."""

    email: Email
    senha: Senha


async def criar(conn: AsyncConnection[Any], novo: NovoUsuario) -> UUID:
    """Make the person; the id. Raises `DadosInvalidos` for an e-mail in use or a setor that is not there."""
    senha_hash = await asyncio.to_thread(senhas.gerar_hash, novo.senha)
    try:
        async with conn.transaction():
            setores = await _setores(conn, novo.setores)
            id_ = await identidade.criar_usuario(
                conn, email=novo.email, nome=novo.nome, papel=novo.papel, senha_hash=senha_hash, setores=setores
            )
            depois = {"email": novo.email, "nome": novo.nome, "papel": novo.papel, "setores": list(novo.setores)}
            await _auditar(conn, id_, "criar", depois)
    except errors.UniqueViolation:
        raise DadosInvalidos({"email": f"já existe uma pessoa com “{novo.email}”; use outro e-mail"}) from None
    return id_


async def trocar_senha(conn: AsyncConnection[Any], troca: TrocaDeSenha) -> None:
    """Store the new password and end the person's sessions; raises `NaoEncontrado`."""
    senha_hash = await asyncio.to_thread(senhas.gerar_hash, troca.senha)
    async with conn.transaction():
        credencial = await identidade.credencial(conn, troca.email)
        if credencial is None:
            raise NaoEncontrado("A pessoa", troca.email)
        await identidade.trocar_hash(conn, credencial.usuario_id, senha_hash)
        await identidade.encerrar_sessoes(conn, credencial.usuario_id)
        await _auditar(conn, credencial.usuario_id, "trocar_senha", {})


async def _setores(conn: AsyncConnection[Any], codigos: tuple[str, ...]) -> list[UUID]:
    cursor = await conn.execute("select codigo, id from setor where codigo = any(%s)", [list(codigos)])
    achados = dict(await cursor.fetchall())
    faltam = [codigo for codigo in codigos if codigo not in achados]
    if faltam:
        raise DadosInvalidos({"setor": f"não existe nenhum com o código {', '.join(faltam)}"})
    return list(achados.values())


async def _auditar(conn: AsyncConnection[Any], id_: UUID, acao: str, depois: dict[str, Any]) -> None:
    await eventos.registrar(
        conn, ator=None, requisicao=_REQUISICAO, entidade="usuario", entidade_id=id_, acao=acao, depois=depois
    )
