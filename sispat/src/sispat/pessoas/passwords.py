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

from sispat.kernel.errors import InvalidData
from sispat.pessoas.password_rules import fault

__all__ = ["check", "hash_aside", "hash_password", "is_right", "needs_rehash", "verify"]

_HASHER = PasswordHasher()
_EXECUTOR = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("senha de ninguém")


def check(password: str, *own: str, field: str = "senha") -> None:
    """Raise `InvalidData` for `field` where the rules refuse the password; `own` are the person's name and e-mail."""
    sentence = fault(password, *own)
    if sentence is not None:
        raise InvalidData({field: sentence})


def hash_password(password: str) -> str:
    """Hash a password; blocks for tens of milliseconds."""
    return _HASHER.hash(password)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with older parameters."""
    return _HASHER.check_needs_rehash(password_hash)


async def hash_aside(password: str) -> str:
    """`hash_password` off the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_EXECUTOR, hash_password, password)


async def verify(password: str, password_hash: str | None) -> bool:
    """Whether `password` is the one behind `password_hash`; None (no such user) takes the same time and is never right."""
    loop = asyncio.get_running_loop()
    right = await loop.run_in_executor(_EXECUTOR, is_right, password, password_hash)
    return right and password_hash is not None


def is_right(password: str, password_hash: str | None) -> bool:
    """As `verify`; blocks for tens of milliseconds."""
    try:
        return _HASHER.verify(password_hash or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
