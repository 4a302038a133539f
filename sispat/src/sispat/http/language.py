"""In which language a request is answered: the one its cookie says, else what `Accept-Language` likes best (RFC 9110, 12.5.4).

Promises: any header is read; where it likes neither of our languages, or both alike, the setting counts.
"""

from __future__ import annotations

from functools import lru_cache, partial
from urllib.parse import unquote

from starlette.types import Scope

from esteio.limit.headers import language as preferred
from sispat.kernel import i18n
from sispat.kernel.i18n import Language, is_language

__all__ = ["LANGUAGE_COOKIE", "language_of", "set_language"]

LANGUAGE_COOKIE = "sispat_idioma"
_LONGEST = 4096  # bytes of a header that is looked at


def set_language(scope: Scope, default: Language) -> None:
    """Set the language of this context, which nobody looks for until a text is shown."""
    i18n.use(partial(language_of, scope["headers"], default))


def language_of(headers: list[tuple[bytes, bytes]], default: Language) -> Language:
    """What the headers of a request ask for."""
    accepted = b""
    for name, value in headers:
        if name == b"cookie" and (chosen := _chosen(value)) is not None:
            return chosen
        if name == b"accept-language":
            accepted = value
    return _accepted(accepted[:256], default) if accepted else default


def _chosen(cookies: bytes) -> Language | None:
    for cookie in cookies[:_LONGEST].decode("latin-1").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == LANGUAGE_COOKIE and is_language(tag := unquote(value)):
            return tag
    return None


@lru_cache(maxsize=256)
def _accepted(header: bytes, default: Language) -> Language:
    liked = preferred(header.decode("latin-1"), "pt" if default == "pt-BR" else "en")
    return "pt-BR" if liked == "pt" else "en"
