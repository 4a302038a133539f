"""Why something cannot be packed or unpacked, and what to do about it."""

from __future__ import annotations

from esteio.errors import EsteioError

__all__ = ["InvalidKey", "KeyTooSlow", "PackUnreadable", "PackingError", "WrongKey"]


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
