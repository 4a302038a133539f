"""Session tokens and the CSRF tokens that belong to them.

Promises: a token is 256 random bits; only its sha256 is stored. The CSRF token is derived from the
session's and masked anew for each page, so that compressed answers give nothing away (BREACH); it is
compared in constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

__all__ = ["csrf_for", "csrf_matches", "new_token", "token_hash"]

_BYTES = 32


def new_token() -> str:
    """A fresh opaque token, 43 URL-safe characters."""
    return secrets.token_urlsafe(_BYTES)


def token_hash(token: str) -> bytes:
    """What is stored of a token: 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _secret(token: str) -> bytes:
    return hmac.digest(token.encode("utf-8", "surrogateescape"), b"csrf", "sha256")


def csrf_for(token: str) -> str:
    """A CSRF token for the session of `token`; different each time, all valid as long as the session."""
    mask = secrets.token_bytes(_BYTES)
    return base64.urlsafe_b64encode(mask + _xor(mask, _secret(token))).decode()


def csrf_matches(token: str, csrf: str) -> bool:
    """Whether `csrf` was made for the session of `token`."""
    try:
        data = base64.urlsafe_b64decode(csrf)
    except ValueError:
        return False
    return len(data) == 2 * _BYTES and hmac.compare_digest(_xor(data[:_BYTES], data[_BYTES:]), _secret(token))


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(len(a))
