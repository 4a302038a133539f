"""The keys of age: recipients that can only lock, identities that open.

Promises: a passphrase costs its slow derivation once per backup, not once per file: it locks a key file, and the
key file opens everything else. `age -d -i KEYFILE` asks for the passphrase and reads both. No secret is shown by
`repr` or in an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyrage  # type: ignore[import-untyped]

from esteio.backup.packing._errors import InvalidKey, WrongKey

__all__ = ["Decryption", "Encryption"]

_SHORTEST = 8  # characters of a passphrase


@dataclass(frozen=True, slots=True)
class Encryption:
    """Whom data is locked for; `key_file`, when there is one, has to be kept beside the data."""

    recipients: tuple[Any, ...] = field(repr=False)
    key_file: bytes | None = field(default=None, repr=False)

    @classmethod
    def to(cls, recipients: Iterable[str]) -> Encryption:
        """For the holders of identities; InvalidKey unless each is `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`."""
        parsed = tuple(_recipient(text) for text in recipients)
        if not parsed:
            raise InvalidKey("recipients", "", "at least one")
        return cls(parsed)

    @classmethod
    def passphrase(cls, phrase: str) -> Encryption:
        """For who knows `phrase` (8 characters or more) and has the new `key_file`; takes about a second."""
        if len(phrase) < _SHORTEST:
            raise InvalidKey("passphrase", "***", f"{_SHORTEST} characters or more")
        identity = pyrage.x25519.Identity.generate()
        text = f"# public key: {identity.to_public()}\n{identity}\n"
        return cls((identity.to_public(),), pyrage.passphrase.encrypt(text.encode(), phrase))


@dataclass(frozen=True, slots=True)
class Decryption:
    """What opens data: identities, of which one must fit."""

    identities: tuple[Any, ...] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Decryption:
        """From an identity file's text: `AGE-SECRET-KEY-...` lines (# is a comment), or one OpenSSH private key."""
        if "PRIVATE KEY" in text.partition("\n")[0]:
            return cls((_parsed("identity", "***", text.encode(), pyrage.ssh.Identity.from_buffer),))
        lines = (line.strip() for line in text.splitlines())
        secrets = [line for line in lines if line and not line.startswith("#")]
        if not secrets:
            raise InvalidKey("identity", "", "lines that begin with AGE-SECRET-KEY-")
        return cls(tuple(_parsed("identity", "***", line, pyrage.x25519.Identity.from_str) for line in secrets))

    @classmethod
    def passphrase(cls, phrase: str, key_file: bytes) -> Decryption:
        """From the key file that `phrase` locks; WrongKey when it does not."""
        try:
            text = pyrage.passphrase.decrypt(key_file, phrase)
        except pyrage.DecryptError as error:
            raise WrongKey(f"the key file and the passphrase do not fit ({error})") from None
        return cls.of(text.decode())


def _recipient(text: str) -> Any:
    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    return _parsed("recipient", text, text, kind.from_str)


def _parsed(kind: str, shown: str, given: str | bytes, parse: Any) -> Any:
    allowed = {
        "recipient": "age1..., ssh-ed25519 ... or ssh-rsa ...",
        "identity": "AGE-SECRET-KEY-1... or an OpenSSH private key without a passphrase",
    }
    try:
        return parse(given)
    except (pyrage.RecipientError, pyrage.IdentityError, ValueError):
        raise InvalidKey(kind, shown, allowed[kind]) from None
