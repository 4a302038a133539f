"""Where the objects of documents lie, and whom they are locked for.

An object is `documents/PREFIX/KEY/aa/SHA256.zst[.age]`: the sha256 of the content names it, so equal content lies there
once and content that is there already is never sent again. KEY says whom it is locked for - `plain`, or the fingerprint
of the recipients - because what is locked for others is of no use. A passphrase makes a new key for each backup; here
one has to last, or nothing would ever be there already: it is kept as `documents/PREFIX/keys/KEY.age`, opened again with
the phrase, and copied into every backup that needs it. The name tells whoever can read the store whether a document they
have themselves is in it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from esteio.backup.packing import Decryption, Encryption, Packing, PackingError
from esteio.backup.store import Stores

__all__ = ["KEYS", "Key", "Place", "find_place", "folder_of"]

Key = Callable[[bytes | None], Decryption | None]

_FOLDER = "documents"
KEYS = "keys"
_PLAIN = "plain"
_LARGEST_KEY = 64 * 1024  # bytes of a key file that are read


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of objects, and how they are packed; when a passphrase opens them, `key_file` is kept as `key_name`."""

    folder: str
    packing: Packing
    key_name: str = ""
    key_file: bytes | None = None

    def object(self, sha256: str) -> str:
        """The name of the object with this content."""
        return f"{self.folder}/{sha256[:2]}/{sha256}{self.packing.suffix}"


def folder_of(prefix: str) -> str:
    """Where all the objects for backups of this prefix lie."""
    return f"{_FOLDER}/{prefix}"


def find_place(packing: Packing, stores: Stores, prefix: str, key: Key) -> Place:
    """For what is packed by `packing`, with the key of an earlier run where there is one that `key` opens."""
    above = folder_of(prefix)
    packing = replace(packing, threads=0)  # files are packed side by side already
    encryption = packing.encryption
    if encryption is None:
        return Place(f"{above}/{_PLAIN}", packing)
    if encryption.key_file is not None:
        encryption = _known(stores, f"{above}/{KEYS}", key) or encryption
    packing = replace(packing, encryption=encryption)
    name = f"{above}/{KEYS}/{encryption.fingerprint}.age"
    return Place(f"{above}/{encryption.fingerprint}", packing, name, encryption.key_file)


def _known(stores: Stores, folder: str, key: Key) -> Encryption | None:
    """The newest that opens and is what its name says."""
    found = stores.list(folder)
    newest = sorted(found, key=lambda name: max(each.modified for each in found[name].values()), reverse=True)
    for name in newest:
        with stores.get(name) as source:
            content = source.read(_LARGEST_KEY)
        try:
            opened = key(content)
        except PackingError:  # another phrase's, or damaged
            continue
        again = Encryption.again(opened, content) if opened else None
        if again is not None and name == f"{folder}/{again.fingerprint}.age":
            return again
    return None
