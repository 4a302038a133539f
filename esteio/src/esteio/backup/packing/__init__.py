"""Streams made small and secret: zstd, then age, counted and hashed on the way.

Promises: any size in bounded memory; what is written is read by the standard `zstd` and `age` programs alone;
what is cut short, changed or locked with another key is refused with a `PackingError`, never returned as if whole.
"""

from __future__ import annotations

from esteio.backup.packing._keys import (
    Decryption,
    Encryption,
    InvalidKey,
    KeyTooSlow,
    PackingError,
    PackUnreadable,
    WrongKey,
)
from esteio.backup.packing._pack import Packed, Packing, Readable, Writable
from esteio.backup.packing._unpack import unpack

__all__ = [
    "Decryption",
    "Encryption",
    "InvalidKey",
    "KeyTooSlow",
    "PackUnreadable",
    "Packed",
    "Packing",
    "PackingError",
    "Readable",
    "Writable",
    "WrongKey",
    "unpack",
]
