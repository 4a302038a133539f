"""Addresses of channels without what is secret in them. Pure.

Promises: of an address only the scheme is shown, and the host where the scheme says that it is one: others carry their
token there.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["masked", "redacted"]

_WITH_HOST = re.compile(r"(https?|jsons?|xmls?|forms?|mailtos?|ntfys?|gotifys?|matrixs?|mmosts?|rockets?)://")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://")
_SHORTEST = 4  # characters of what counts as a secret


def masked(url: str) -> str:
    """Such as `https://hooks.slack.com/...`, or `tgram://...`."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        return "..."
    host = _host(url)
    return f"{scheme[0]}{host}/..." if host else f"{scheme[0]}..."


def redacted(text: str, url: str) -> str:
    """`text` with every piece of `url` replaced but what `masked` shows."""
    pieces = {piece for piece in re.split(r"[/:@?&=#+,;\s]+", url) if len(piece) >= _SHORTEST}
    pieces |= {unquote(piece) for piece in pieces}
    pieces -= {_host(url), url.partition("://")[0] if "://" in url else ""}
    for piece in sorted(pieces, key=len, reverse=True):
        text = text.replace(piece, "***")
    return text


def _host(url: str) -> str:
    if not _WITH_HOST.match(url.lower()):
        return ""
    rest = url.partition("://")[2].partition("?")[0]
    if not url.lower().startswith("mailto"):  # there a password may hold a slash, and nothing follows the host
        rest = rest.partition("/")[0]
    rest = rest.rpartition("@")[2]
    found = _HOST.match(rest)
    return found[0] if found else ""
