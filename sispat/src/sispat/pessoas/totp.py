"""Codes by time (TOTP, RFC 6238: SHA-1, six digits, 30 s) and recovery codes. Pure but for randomness; time comes in.

Promises: a code of the period before or after counts too, for clocks that differ; one of a period that was taken already
does not, nor an earlier one.
"""

from __future__ import annotations

import hashlib
import re
import secrets

import pyotp

__all__ = ["PERIOD", "accepted_step", "address", "new_recovery_codes", "new_secret", "recovery_hash"]

PERIOD = 30  # seconds
_WINDOW = 1  # periods before and after
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_CODES, _GROUPS, _GROUP = 10, 4, 4  # 79 bits each


def new_secret() -> str:
    """160 random bits, as base32."""
    return pyotp.random_base32(32)


def address(secret: str, email: str, issuer: str) -> str:
    """What the QR code says: an `otpauth://` address."""
    return pyotp.TOTP(secret, interval=PERIOD).provisioning_uri(name=email, issuer_name=issuer)


def accepted_step(secret: str, code: str, last_step: int, now: float) -> int | None:
    """The period whose code this is, if it is near `now` (seconds since 1970) and after `last_step`; else None."""
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        return None
    totp, present = pyotp.TOTP(secret, interval=PERIOD), int(now) // PERIOD
    # All are compared, in constant time each.
    steps = [
        n
        for n in range(present - _WINDOW, present + _WINDOW + 1)
        if pyotp.utils.strings_equal(totp.generate_otp(n), digits)
    ]
    return next((step for step in steps if step > last_step), None)


def new_recovery_codes() -> list[str]:
    """Ten codes, each good once."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
        for _ in range(_CODES)
    ]


def recovery_hash(code: str) -> bytes:
    """What is stored of a recovery code, however it is spaced and cased."""
    return hashlib.sha256(re.sub(r"[^a-z0-9]", "", code.lower()).encode()).digest()
