"""Signing in and out.

Promises: wrong e-mail, wrong password and retired user look the same, in words and in time. How often one may fail is
limited (usecases.tentativas). A password hash made with older parameters is renewed at the next sign-in. Both are
audited.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

from psycopg import AsyncConnection
from pydantic import Field

from esteio.postgres import Database
from sispat.domain.erros import NaoAutenticado
from sispat.domain.permissoes import Acesso
from sispat.identity import dispositivos, senhas, tokens
from sispat.store import eventos, identidade
from sispat.usecases.entradas import Entrada, Legivel
from sispat.usecases.tentativas import Guarda

__all__ = ["Aberta", "Credenciais", "Origem", "Validade", "entrar", "quem", "sair"]


class Credenciais(Entrada):
    """What a person types to sign in."""

    email: Annotated[str, Field(min_length=1, max_length=254, examples=["admin@demo.local"]), Legivel]
    senha: Annotated[str, Field(min_length=1, max_length=200, alias="password", examples=["demo"])]


@dataclass(frozen=True, slots=True)
class Validade:
    """How long a session lives: unused at most `ociosa`, in all at most `absoluta`."""

    ociosa: timedelta = timedelta(hours=8)
    absoluta: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Origem:
    """Where an attempt comes from; `dispositivos` is what the browser kept of earlier sign-ins."""

    endereco: str
    navegador: str
    requisicao: str
    dispositivos: str = ""


class Aberta(NamedTuple):
    """A session that was opened: its token, whose it is, and what the browser is to keep."""

    token: str
    acesso: Acesso
    dispositivos: str


async def entrar(db: Database, guarda: Guarda, credenciais: Credenciais, validade: Validade, origem: Origem) -> Aberta:
    """Check the credentials and open a session. Raises `NaoAutenticado`, or `MuitasTentativas` where too many failed.

    No connection is held while the password is being checked: that takes tens of milliseconds.
    """
    email = credenciais.email.lower()
    async with db.connection() as conn:
        credencial = await identidade.credencial(conn, email)
        prova = dispositivos.reconhecer(origem.dispositivos, email, credencial and credencial.senha_hash)
        tentativa = await guarda.comecar(conn, email, origem.endereco, prova)
    certa = await senhas.confere(credenciais.senha, credencial and credencial.senha_hash)
    if not certa or credencial is None or not credencial.ativo:
        raise NaoAutenticado("E-mail ou senha incorretos.")
    await guarda.desculpar(tentativa)
    token = tokens.novo_token()
    senha_hash = credencial.senha_hash
    if senhas.precisa_de_novo_hash(senha_hash):
        senha_hash = await asyncio.to_thread(senhas.gerar_hash, credenciais.senha)
    async with db.transaction() as conn:
        await identidade.abrir_sessao(
            conn,
            token_hash=tokens.hash_do_token(token),
            usuario_id=credencial.usuario_id,
            duracao=validade.absoluta,
            endereco=origem.endereco,
            navegador=origem.navegador,
        )
        if senha_hash is not credencial.senha_hash:
            await identidade.trocar_hash(conn, credencial.usuario_id, senha_hash)
        acesso = await identidade.sessao(conn, tokens.hash_do_token(token), validade.ociosa)
        if acesso is None:  # retired between the two looks
            raise NaoAutenticado("E-mail ou senha incorretos.")
        await _auditar(conn, acesso, origem.requisicao, "entrar")
    nova = dispositivos.emitir(email, senha_hash)
    return Aberta(token, acesso, dispositivos.juntar(origem.dispositivos, nova, prova))


async def quem(conn: AsyncConnection[Any], token: str, validade: Validade) -> Acesso:
    """Whose session `token` opens; raises `NaoAutenticado`."""
    acesso = await identidade.sessao(conn, tokens.hash_do_token(token), validade.ociosa)
    if acesso is None:
        raise NaoAutenticado("A sessão terminou. Entre de novo para continuar.")
    return acesso


async def sair(conn: AsyncConnection[Any], token: str, acesso: Acesso, requisicao: str) -> None:
    """End the session at once, for every worker."""
    async with conn.transaction():
        await identidade.encerrar_sessao(conn, tokens.hash_do_token(token))
        await _auditar(conn, acesso, requisicao, "sair")


async def _auditar(conn: AsyncConnection[Any], acesso: Acesso, requisicao: str, acao: str) -> None:
    await eventos.registrar(
        conn,
        ator=acesso.usuario_id,
        requisicao=requisicao,
        entidade="usuario",
        entidade_id=acesso.usuario_id,
        acao=acao,
    )
