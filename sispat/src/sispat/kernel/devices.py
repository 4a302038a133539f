"""Browsers that a person has signed in with before (device cookies, as OWASP describes them).

Promises: strangers who hammer at an account cannot lock its owner out, because the owner's browser carries proof of
an earlier sign-in and has attempts of its own. The proof is for one account, cannot be made without the stored
password hash, and ends when the password changes or after `MAX_AGE`. It opens nothing: the password is still asked.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time

__all__ = ["MAX_AGE", "issue", "looks_right", "merge", "recognize"]

MAX_AGE = 180 * 86400  # seconds

_MOST = 4  # accounts that one browser remembers: the counter shared by colleagues
_LONGEST = 400  # characters of a whole cookie, at most
_PROOF = re.compile(r"[\w-]{16}\.[0-9a-f]{1,16}\.[\w-]{32}", re.ASCII)
_NOBODY = "$ninguém"  # in place of the hash of an account that does not exist


def issue(email: str, password_hash: str, now: float | None = None) -> str:
    """Proof that this browser signed in to the account."""
    name = secrets.token_urlsafe(12)
    issued = format(int(time.time() if now is None else now), "x")
    return f"{name}.{issued}.{_seal(email, password_hash, name, issued)}"


def recognize(cookie: str, email: str, password_hash: str | None, now: float | None = None) -> str | None:
    """The proof in `cookie` that holds for the account, or None; without an account none does, in the same time."""
    now = time.time() if now is None else now
    found = None
    for proof in _proofs(cookie):
        name, _, rest = proof.partition(".")
        issued, _, seal = rest.partition(".")
        right = hmac.compare_digest(_seal(email, password_hash or _NOBODY, name, issued), seal)
        if right and password_hash is not None and _recent(issued, now):
            found = proof
    return found


def looks_right(cookie: str) -> bool:
    """Whether `cookie` has the form of what we gave out; whether it holds, only `recognize` knows."""
    return bool(_proofs(cookie))


def merge(cookie: str, new: str, used: str | None) -> str:
    """The cookie with `new` in place of the proof that was used, the oldest beyond a few forgotten."""
    others = [proof for proof in _proofs(cookie) if proof != used]
    return "~".join([new, *others][:_MOST])


def _proofs(cookie: str) -> list[str]:
    if len(cookie) > _LONGEST:
        return []
    return [proof for proof in cookie.split("~") if _PROOF.fullmatch(proof)][:_MOST]


def _recent(issued: str, now: float) -> bool:
    # Whoever could seal it wrote the time: it is hexadecimal.
    return now - int(issued, 16) < MAX_AGE


def _seal(email: str, password_hash: str, name: str, issued: str) -> str:
    key = hmac.digest(b"dispositivo", password_hash.encode(), "sha256")
    said = "\0".join((email, name, issued)).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(key, said, "sha256")[:24]).decode()
