"""What the work of the moment is for, for logs and for the server's list of sessions.

Promises: a tag follows its task and the tasks that one starts, costs nothing while no statement is slow, and
never makes the name that the server shows longer than the server's limit or lets it contain anything that
is not printable ASCII.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from functools import lru_cache

from esteio.postgres._dsn import Dsn

__all__ = ["application_name", "application_of", "current_tag", "naming_command", "tagged"]

_LIMIT = 63  # bytes; the server cuts off what is longer
_tag: ContextVar[str] = ContextVar("esteio.postgres.tag", default="")


class tagged:  # noqa: N801 - used like a function
    """`with tagged("GET /bens"):` names what the statements of the block are run for; the innermost name holds."""

    __slots__ = ("_before", "_route")

    def __init__(self, route: str) -> None:
        self._route = route

    def __enter__(self) -> None:
        self._before: Token[str] = _tag.set(self._route)

    def __exit__(self, *_: object) -> None:
        _tag.reset(self._before)


def current_tag() -> str:
    """The name of the innermost `tagged` block, or ''."""
    return _tag.get()


def application_of(dsn: Dsn, name: str) -> str:
    """What sessions of `dsn` are called: what the URL says, else `name`."""
    return dict(dsn.parameters).get("application_name") or application_name(name)


@lru_cache(maxsize=1024)
def application_name(base: str, tag: str = "") -> str:
    """What the server shows for work of `tag` in a program named `base`: at most 63 printable characters."""
    name = f"{base} {tag}" if tag else base
    return "".join(c if " " <= c <= "~" else "?" for c in name)[:_LIMIT]


@lru_cache(maxsize=1024)
def naming_command(base: str, tag: str) -> bytes:
    """SQL that goes behind a BEGIN, in the same message, and names the session until the transaction ends."""
    quoted = application_name(base, tag).replace("\\", "?").replace("'", "''")
    return f"; SET LOCAL application_name = '{quoted}'".encode()
