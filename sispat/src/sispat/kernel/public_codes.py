"""Codes on paper that open a public page: nobody finds one by trying, and a person can type one. Pure.

Promises: letters and digits of Crockford's base 32, which has no I, L, O or U; what a person takes for another letter
(O for 0, I or L for 1), or types in small letters, with spaces or hyphens, is read as it was meant.
"""

from __future__ import annotations

import re
import secrets
from uuid import UUID

__all__ = ["code_of", "new_code", "normal_code", "uuid_of"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MEANT = str.maketrans("OIL", "011")
_OF_UUID = 26  # letters of 5 bits for the 128 of a UUID


def new_code(length: int = 16) -> str:
    """A random code of `length` letters, of 5 bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def normal_code(typed: str) -> str:
    """A code as it is stored; empty for what is none."""
    text = re.sub(r"[\s-]", "", typed).upper().translate(_MEANT)
    return text if re.fullmatch(f"[{_ALPHABET}]+", text) else ""


def code_of(id_: UUID) -> str:
    """The code of a record: its key, written shorter."""
    number = id_.int
    letters = []
    for _ in range(_OF_UUID):
        number, place = divmod(number, 32)
        letters.append(_ALPHABET[place])
    return "".join(reversed(letters))


def uuid_of(typed: str) -> UUID | None:
    """The key that a typed code means; None for what is none."""
    code = normal_code(typed)
    if len(code) != _OF_UUID:
        return None
    number = 0
    for letter in code:
        number = number * 32 + _ALPHABET.index(letter)
    return UUID(int=number) if number < 2**128 else None
