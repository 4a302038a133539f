"""The keys of age: recipients that can only lock, identities that open.

Promises: a passphrase costs its slow derivation once per backup, not once per file: it locks a key file, and the
key file opens everything else. `age -d -i KEYFILE` asks for the passphrase and reads both. No secret is shown by
`repr` or in an error.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyrage  # type: ignore[import-untyped]

from esteio.backup._details import DetailCode
from esteio.clock import SYSTEM, Clock
from esteio.errors import EsteioError

__all__ = ["Decryption", "Encryption", "InvalidKey", "KeyTooSlow", "PackUnreadable", "PackingError", "WrongKey"]


class PackingError(EsteioError):
    """Base of the errors of packing."""


class InvalidKey(PackingError, ValueError):
    """A recipient, an identity or a passphrase that cannot be used; what is secret is not shown."""

    def __init__(self, kind: str, shown: str, allowed: str) -> None:
        self.kind = kind
        self.shown = shown
        self.allowed = allowed
        super().__init__(f"{kind} {shown!r} cannot be used; allowed: {allowed}")


class PackUnreadable(PackingError):
    """What was packed is cut short or was changed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"packed data cannot be read: {reason}; take the copy in another store, or another backup")


class WrongKey(PackingError):
    """None of the given keys opens it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"encrypted data cannot be opened: {reason}; give the identity that belongs to the recipient, "
            "or the passphrase the backup was made with"
        )


class KeyTooSlow(PackingError):
    """The derivation of a key from its passphrase would take this machine too long; whether it fits is not known."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the key file cannot be opened by this machine, tried for five minutes: {reason}; try again when less runs "
            "here, or open it elsewhere with `age -d` and give the identity that is in it"
        )


_SHORTEST = 8  # characters of a passphrase
# age measures how fast the machine is before each derivation, and refuses one that would take over 16 s by that measure.
# On a busy machine the measure is wrong.
_TOO_SLOW = "excessive work"
_WORK = re.compile(r"around (\d+) seconds")
_PATIENCE, _PAUSE = 300.0, 5.0  # seconds
_logger = logging.getLogger("esteio.backup")


@dataclass(frozen=True, slots=True)
class Encryption:
    """Whom data is locked for; `key_file`, when there is one, has to be kept beside the data.

    `fingerprint` is the same for the same recipients, in whatever order: 16 hexadecimal digits that are no secret.
    """

    recipients: tuple[Any, ...] = field(repr=False)
    fingerprint: str
    key_file: bytes | None = field(default=None, repr=False)

    @classmethod
    def to(cls, recipients: Iterable[str]) -> Encryption:
        """For the holders of identities; InvalidKey unless each is `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`."""
        given = tuple(recipients)
        parsed = tuple(_recipient(text) for text in given)
        if not parsed:
            raise InvalidKey("recipients", "", DetailCode.AT_LEAST_ONE())
        return cls(parsed, _fingerprint(given))

    @classmethod
    def passphrase(cls, phrase: str) -> Encryption:
        """For who knows `phrase` (8 characters or more) and has the new `key_file`; takes about a second."""
        if len(phrase) < _SHORTEST:
            raise InvalidKey("passphrase", "***", DetailCode.PHRASE_LENGTH(count=_SHORTEST))
        identity = pyrage.x25519.Identity.generate()
        public = identity.to_public()
        text = f"# public key: {public}\n{identity}\n"
        locked = pyrage.passphrase.encrypt(text.encode(), phrase)
        return cls((public,), _fingerprint([str(public)]), locked)

    @classmethod
    def again(cls, opened: Decryption, key_file: bytes) -> Encryption | None:
        """As when `key_file` was made, given what it `opened`; None when that is a key of another kind."""
        publics = [each.to_public() for each in opened.identities if isinstance(each, pyrage.x25519.Identity)]
        if len(publics) != 1:
            return None
        return cls((publics[0],), _fingerprint([str(publics[0])]), key_file)


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
            raise InvalidKey("identity", "", DetailCode.IDENTITY_LINES())
        return cls(tuple(_parsed("identity", "***", line, pyrage.x25519.Identity.from_str) for line in secrets))

    @classmethod
    def passphrase(cls, phrase: str, key_file: bytes, *, clock: Clock = SYSTEM) -> Decryption:
        """From the key file that `phrase` locks; WrongKey when it does not.

        While the machine is too busy for the derivation it is tried again, for five minutes; then KeyTooSlow.
        """
        began = clock.monotonic()
        while True:
            try:
                return cls.of(pyrage.passphrase.decrypt(key_file, phrase).decode())
            except pyrage.DecryptError as error:
                reason = " ".join(str(error).split())
                if _TOO_SLOW not in reason.lower():
                    raise WrongKey(DetailCode.KEY_FILE_WRONG(error=reason)) from None
            if clock.monotonic() - began >= _PATIENCE:
                work = _WORK.search(reason)
                raise KeyTooSlow(DetailCode.KEY_WORK(seconds=int(work[1])) if work else reason)
            _logger.warning(
                "the key file is opened when this machine is less busy, tried again in %.0f s: %s", _PAUSE, reason
            )
            clock.sleep(_PAUSE)


def _fingerprint(recipients: Iterable[str]) -> str:
    keys = sorted(" ".join(text.split()[:2]) for text in recipients)  # what follows an ssh key is a comment
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def _recipient(text: str) -> Any:
    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    return _parsed("recipient", text, text, kind.from_str)


def _parsed(kind: str, shown: str, given: str | bytes, parse: Any) -> Any:
    allowed = {
        "recipient": DetailCode.RECIPIENT_KINDS,
        "identity": DetailCode.IDENTITY_KINDS,
    }
    try:
        return parse(given)
    except (pyrage.RecipientError, pyrage.IdentityError, ValueError):
        raise InvalidKey(kind, shown, allowed[kind]()) from None
