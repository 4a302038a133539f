"""Secrets of people that have to be read again, kept in the database so that the database alone does not tell them.

Promises: with a key from the settings a text is stored as AES-256-GCM with a random nonce, bound to whose it is, so that a
row moved to another person does not open; the key of the cipher is derived from the setting's by HKDF (RFC 5869). Several keys
are a rotation: the first seals, all open. Without any, texts are stored as they are, and those still open that were
stored before there was one.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["Sealer", "Unopened"]

_MARK = "v1."
_NONCE = 12  # bytes: what AES-GCM takes; random, good for 2**32 texts of one key (NIST SP 800-38D, 8.3)


class Unopened(SispatError):
    """A stored secret was sealed with a key that the settings no longer have."""

    code = "segredo-sem-chave"

    def __init__(self) -> None:
        super().__init__(
            _(
                "O segundo fator foi cifrado com uma chave que não está mais em SISPAT_SECRET. Avise quem cuida do servidor: "
                "é preciso devolver a chave à configuração, ou retirar o segundo fator da pessoa."
            )
        )


class Sealer:
    """Seals with the first of `keys`, opens with any."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._ciphers = [AESGCM(_derived(key)) for key in keys]

    def seal(self, text: str, whose: str) -> str:
        """`text` as it is stored for `whose`."""
        if not self._ciphers:
            return text
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._ciphers[0].encrypt(nonce, text.encode(), whose.encode())
        return _MARK + base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, stored: str, whose: str) -> str:
        """The text that was sealed for `whose`; raises `Unopened`."""
        return self._opened(stored, whose)[0]

    def outdated(self, stored: str, whose: str) -> bool:
        """Whether `stored` should be sealed anew: not sealed, though there is a key, or not with the first one."""
        return self._opened(stored, whose)[1] != (0 if self._ciphers else None)

    def _opened(self, stored: str, whose: str) -> tuple[str, int | None]:
        if not stored.startswith(_MARK):
            return stored, None
        encoded = stored.removeprefix(_MARK)
        sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        for place, cipher in enumerate(self._ciphers):
            try:
                return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], whose.encode()).decode(), place
            except InvalidTag:
                continue
        raise Unopened


def _derived(key: str) -> bytes:
    # No salt: the key is random by itself (RFC 5869, 3.1); the info keeps this use of it apart from others.
    return HKDF(SHA256(), 32, salt=None, info=b"sispat segundo fator v1").derive(key.encode())
