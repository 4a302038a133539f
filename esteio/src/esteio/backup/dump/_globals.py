"""Which lines of a globals file make the roles a server lacks.

Promises: pure; roles that are there keep their passwords and rights, because nothing that names only them is kept.
Tablespaces and settings of the whole server are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["for_missing_roles"]

_NAME = r'(?:"(?:[^"]|"")+"|[^\s";]+)'
_ROLE = re.compile(rf"(?:CREATE|ALTER) ROLE ({_NAME})(?: IN DATABASE {_NAME})?(?: |;)")
_GRANT = re.compile(rf"GRANT ({_NAME}) TO ({_NAME})(?P<rest>.*?)(?: GRANTED BY {_NAME})?;")


def for_missing_roles(text: str, present: Collection[str]) -> str:
    """The statements of `text` (of pg_dumpall --globals-only) that concern roles not `present` on the server."""
    kept = []
    for line in text.splitlines():
        if match := _ROLE.match(line):
            if _plain(match[1]) not in present and " IN DATABASE " not in line[: match.end()]:
                kept.append(line)
        elif (match := _GRANT.fullmatch(line)) and _plain(match[2]) not in present:
            # Who granted it may be a superuser this server does not know; here it is the one who restores.
            kept.append(f"GRANT {match[1]} TO {match[2]}{match['rest']};")
    return "".join(f"{line}\n" for line in kept)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
