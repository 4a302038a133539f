"""The environment: names that nobody reads, and passwords that everybody knows."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding

__all__ = ["names", "passwords"]

_ALIKE = 0.85  # of difflib: REDIS_URI is like REDIS_URL, DATABASE_REPLICA_URL is not like DATABASE_URL
_COMMON = frozenset(
    {
        "postgres", "password", "senha", "admin", "root", "redis", "demo", "test", "teste", "changeme", "secret",
        "mudar", "trocar", "123456", "12345678", "123456789", "1234", "qwerty", "sispat", "prefeitura", "foobared",
    }
)  # fmt: skip


def names(variables: Mapping[str, str], known: Collection[str], prefixes: tuple[str, ...]) -> Examination:
    """Looks for names that nobody reads: those with one of `prefixes`, and those that look like a `known` one."""

    def look() -> Iterator[Finding]:
        unread = [name for name in sorted(variables) if name not in known]
        bad = list(filter(None, (_unread(name, known, prefixes) for name in unread)))
        yield from bad
        if not bad:
            yield FindingCode.SETTINGS_KNOWN.found(count=sum(name in known for name in variables))

    return Examination("settings:names", look)


def _unread(name: str, known: Collection[str], prefixes: tuple[str, ...]) -> Finding | None:
    near = difflib.get_close_matches(name, known, 1, _ALIKE)
    if near:
        return FindingCode.SETTING_MISSPELT.found(name=name, near=near[0])
    return FindingCode.SETTING_UNREAD.found(name=name) if name.startswith(prefixes) else None


def passwords(secrets: Mapping[str, str]) -> Examination:
    """Looks whether one of `secrets`, passwords or addresses with one by their names, is among those tried first."""

    def look() -> Iterator[Finding]:
        bad = [name for name, secret in secrets.items() if _is_common(secret)]
        for name in bad:
            yield FindingCode.PASSWORD_COMMON.found(name=name)
        if not bad:
            yield FindingCode.PASSWORDS_UNCOMMON.found(names=", ".join(secrets) or "-")

    return Examination("settings:passwords", look)


def _is_common(secret: str) -> bool:
    if "://" not in secret:
        return secret.lower() in _COMMON
    parts = urlsplit(secret)
    found = unquote(parts.password or "")
    return bool(found) and (found.lower() in _COMMON or found == unquote(parts.username or ""))
