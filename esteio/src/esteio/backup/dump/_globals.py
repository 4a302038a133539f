"""The roles of a server, as pg_dumpall writes them, and what of them and of settings may be a secret. Pure.

Promises: role passwords, and settings whose names only an application knows (`app.jwt_key`), stand in no manifest, which
anybody who sees the store can read, and in no file of a plain backup. What was left out is named, never its value.
PostgreSQL's own settings, and those of the modules that come with it, are no secrets: without a search_path a restored
database is another one. Roles that a server has keep their passwords and rights, because nothing that names only them is
run there; tablespaces and settings of the whole server are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

__all__ = ["Setting", "for_missing_roles", "without_secrets", "without_values"]

Setting = tuple[str, str]
"""A role ('' for all), and `name=value`."""

# Modules of PostgreSQL's contrib and its languages whose settings are a matter of taste.
_MODULES = frozenset(
    (
        "auto_explain",
        "pg_prewarm",
        "pg_stat_statements",
        "pg_trgm",
        "plperl",
        "plpgsql",
        "pltcl",
        "postgres_fdw",
    )
)
# A comment or a command of psql, blanks, or a statement up to its semicolon outside of quotes.
_PIECE = re.compile(r"""(?:--|\\)[^\n]*\n|\s+|(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^;'"])+;""")
_NAME = r'(?:"(?:[^"]|"")+"|[^\s";]+)'
_ROLE = re.compile(rf"(?:CREATE|ALTER) ROLE ({_NAME})(?: IN DATABASE {_NAME})?(?: |;)")
_GRANT = re.compile(rf"GRANT ({_NAME}) TO ({_NAME})(?P<rest>.*?)(?: GRANTED BY {_NAME})?;")
_SET = re.compile(rf"ALTER ROLE (?P<role>{_NAME})(?: IN DATABASE (?P<database>{_NAME}))? SET (?P<name>{_NAME}) TO ")


def is_secret(name: str) -> bool:
    """Whether the setting `name` may be one."""
    module, dot, _ = name.partition(".")
    return bool(dot) and module.lower() not in _MODULES


def without_values(settings: Iterable[Setting]) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
    """The settings that are none, and those that may be."""
    open_: list[Setting] = []
    secret: list[Setting] = []
    for role, setting in settings:
        (secret if is_secret(setting.partition("=")[0]) else open_).append((role, setting))
    return tuple(open_), tuple(secret)


def without_secrets(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A globals file (of pg_dumpall) without the settings that may be secrets; their roles and names, of any database.

    ValueError when it ends within a statement: what is not understood is not kept either.
    """
    kept, left = [], []
    for piece in _pieces(text):
        match = _SET.match(piece)
        if match is None or not is_secret(name := _plain(match["name"])):
            kept.append(piece)
        elif match["database"] is None:
            left.append((_plain(match["role"]), name))
    return "".join(kept), tuple(left)


def for_missing_roles(text: str, present: Collection[str]) -> str:
    """The statements of `text` (of pg_dumpall --globals-only) that concern roles not `present` on the server.

    A value in one may have several lines. ValueError when it ends within a statement.
    """
    kept = []
    for piece in _pieces(text):
        if match := _ROLE.match(piece):
            if _plain(match[1]) not in present and " IN DATABASE " not in piece[: match.end()]:
                kept.append(piece)
        elif (match := _GRANT.fullmatch(piece)) and _plain(match[2]) not in present:
            # Who granted it may be a superuser this server does not know; here it is the one who restores.
            kept.append(f"GRANT {match[1]} TO {match[2]}{match['rest']};")
    return "".join(f"{piece}\n" for piece in kept)


def _pieces(text: str) -> Iterator[str]:
    at = 0
    while match := _PIECE.match(text, at):
        at = match.end()
        yield match[0]
    if at < len(text):
        msg = f"a statement of the globals does not end: {text[at : at + 12]!r}..."
        raise ValueError(msg)


def _plain(name: str) -> str:
    """An SQL identifier as it is called."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
