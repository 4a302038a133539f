"""A server that answers, and does not want us.

Promises: a wrong password, a missing database or missing TLS is no outage: waiting does not help, so callers
hear of it at once, and the server is asked again only as often as somebody may have changed its configuration.
"""

from __future__ import annotations

import psycopg

from esteio.postgres._errors import DatabaseUnavailable, first_line

__all__ = ["DatabaseMissing", "LoginRefused", "TlsRefused", "refusal"]

_LOGIN = frozenset({"28000", "28P01", "42501"})
_MISSING = "3D000"
# libpq reports these without an SQLSTATE
_LOGIN_TEXTS = ("password authentication failed", "no password supplied", "no pg_hba.conf entry", "Peer authentication")
_TLS_TEXTS = (
    "server does not support SSL",
    "certificate verify failed",
    "server certificate for",
    "root certificate file",
    "sslmode value",
)


class LoginRefused(DatabaseUnavailable):
    """The server refuses the user, the password, or this client's address."""


class DatabaseMissing(DatabaseUnavailable):
    """The server has no database of that name."""


class TlsRefused(DatabaseUnavailable):
    """TLS is required and the server has none, or its certificate is not the one expected."""


def refusal(error: BaseException, name: str) -> DatabaseUnavailable | None:
    """The error for callers of database `name` when `error` of an attempt to connect is no outage, else None."""
    if not isinstance(error, psycopg.Error):
        return None
    text = str(error)
    said = _last_word(text)
    if _is_tls(text):
        return TlsRefused(name, f"{said}; check sslmode and sslrootcert of its URL", retry_after=None)
    if error.sqlstate == _MISSING or ("database" in text and text.rstrip().endswith("does not exist")):
        advice = "create it, or correct the database's name in the URL"
        return DatabaseMissing(name, f"{said}; {advice}", sqlstate=_MISSING, retry_after=None)
    if error.sqlstate in _LOGIN or _is_login(text):
        advice = "correct user and password in the URL, or pg_hba.conf on the server"
        return LoginRefused(name, f"{said}; {advice}", sqlstate=error.sqlstate, retry_after=None)
    return None


def _is_tls(text: str) -> bool:
    return any(part in text for part in _TLS_TEXTS)


def _is_login(text: str) -> bool:
    known = any(part in text for part in _LOGIN_TEXTS)
    return known or ("FATAL:  role " in text and "does not exist" in text) or "is not permitted to log in" in text


def _last_word(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if "FATAL" in line] or [first_line(Exception(text))]
    return lines[-1].rpartition("FATAL:  ")[2]
