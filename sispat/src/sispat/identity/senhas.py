"""Passwords.

Promises: argon2id with the library's current parameters (RFC 9106), off the event loop, at most a few at
once so that a burst of sign-ins does not starve the requests of those already in. An unknown e-mail costs
as much as a wrong password.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["confere", "gerar_hash", "precisa_de_novo_hash"]

_HASHER = PasswordHasher()
_EXECUTOR = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


@cache
def _hash_de_ninguem() -> str:
    return _HASHER.hash("senha de ninguém")


def gerar_hash(senha: str) -> str:
    """Hash a password; blocks for tens of milliseconds."""
    return _HASHER.hash(senha)


def precisa_de_novo_hash(senha_hash: str) -> bool:
    """Whether the hash was made with older parameters."""
    return _HASHER.check_needs_rehash(senha_hash)


async def confere(senha: str, senha_hash: str | None) -> bool:
    """Whether `senha` is the one behind `senha_hash`; None (no such user) takes the same time and is never right."""
    laco = asyncio.get_running_loop()
    certa = await laco.run_in_executor(_EXECUTOR, _verificar, senha, senha_hash)
    return certa and senha_hash is not None


def _verificar(senha: str, senha_hash: str | None) -> bool:
    try:
        return _HASHER.verify(senha_hash or _hash_de_ninguem(), senha)
    except (VerificationError, InvalidHashError):
        return False
