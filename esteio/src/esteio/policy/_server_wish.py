"""When a server says to come back: `Retry-After` (RFC 9110, 10.2.3) of errors and responses.

Promises: reads seconds and HTTP dates, from an attribute `retry_after` or from headers as httpx2, requests,
aiohttp and urllib give them; anything unreadable is None.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

__all__ = ["server_wish"]


def _headers_of(thing: object) -> object:
    response = getattr(thing, "response", None)
    return getattr(response if response is not None else thing, "headers", None)


def _parse(text: str, wall: Callable[[], float]) -> float | None:
    try:
        wait = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime  # here: a slow import, needed only for a date

        try:
            wait = parsedate_to_datetime(text).timestamp() - wall()
        except (ValueError, TypeError):
            return None
    return max(0.0, wait) if isfinite(wait) else None


def server_wish(thing: object, wall: Callable[[], float]) -> float | None:
    """Seconds that an error or a response asks to wait, or None. `wall` is wall time in Unix seconds."""
    wish = getattr(thing, "retry_after", None)
    if isinstance(wish, int | float) and not isinstance(wish, bool):
        return max(0.0, float(wish)) if isfinite(wish) else None
    headers = _headers_of(thing)
    get = getattr(headers, "get", None)
    if not callable(get):
        return None
    text = get("Retry-After") or get("retry-after")
    return _parse(text, wall) if isinstance(text, str) else None
