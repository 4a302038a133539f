"""What an answer says about limits, as text: fields and problem details; pure.

Promises: `RateLimit-Policy` and `RateLimit` are structured fields (RFC 9651) as in
draft-ietf-httpapi-ratelimit-headers-10, one item per limit under the limit's name; times are whole seconds, rounded
up, never before the truth; `Retry-After` is spread later by a random part, so that those who were denied together
do not come back together. Keys never appear. Any name can be sent: what ASCII cannot say is percent-encoded.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

if TYPE_CHECKING:
    from esteio.limit._decision import Decision
    from esteio.limit._limit import Limit

__all__ = [
    "PROBLEM_TYPE",
    "duration",
    "exhausted_field",
    "language",
    "later",
    "legacy_fields",
    "policy_field",
    "problem",
    "problem_json",
    "rate_limit_field",
    "retry_after",
]

PROBLEM_TYPE = "https://iana.org/assignments/http-problem-types#quota-exceeded"
JITTER = 0.1  # at most this part of the wait is added to Retry-After

Language = Literal["pt", "en"]

_INTEGER = 999_999_999_999_999  # RFC 9651, 3.3.1: fifteen digits
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_TEXTS: dict[Language, dict[str, str]] = {
    "pt": {
        "title": "Muitas requisições",
        "wait": "O limite de {rate} por {per} foi atingido. Tente de novo em {wait}.",
        "never": "Este pedido vale {cost} e o limite é {rate} por {per}: ele nunca passa inteiro. Divida-o.",
    },
    "en": {
        "title": "Too many requests",
        "wait": "The limit of {rate} per {per} was reached. Try again in {wait}.",
        "never": "This request costs {cost} and the limit is {rate} per {per}: it can never pass whole. Split it.",
    },
}
_UNITS: tuple[tuple[int, dict[Language, tuple[str, str]]], ...] = (
    (86_400, {"pt": ("dia", "dias"), "en": ("day", "days")}),
    (3600, {"pt": ("hora", "horas"), "en": ("hour", "hours")}),
    (60, {"pt": ("minuto", "minutos"), "en": ("minute", "minutes")}),
    (1, {"pt": ("segundo", "segundos"), "en": ("second", "seconds")}),
)


@lru_cache(maxsize=1024)
def policy_field(limit: Limit) -> str:
    """The item of `limit` in RateLimit-Policy, as `"write";q=30;w=60`."""
    return f"{_name(limit)};q={min(limit.rate, _INTEGER)};w={_seconds(limit.per)}"


def rate_limit_field(decision: Decision) -> str:
    """The item of `decision` in RateLimit, as `"write";r=12;t=40`: what is left, and seconds until there is more.

    For a denied request `t` is when it can pass, otherwise when the quota is whole again.
    """
    wait = decision.retry_after if not decision.allowed and decision.retry_after is not None else decision.reset_after
    return f"{_name(decision.limit)};r={min(max(decision.remaining, 0), _INTEGER)};t={_seconds(wait)}"


def exhausted_field(limit: Limit, wait: float) -> str:
    """The item of a limit of which nothing is left for `wait` seconds, where no decision is at hand."""
    return f"{_name(limit)};r=0;t={_seconds(wait)}"


def legacy_fields(decision: Decision) -> list[tuple[str, str]]:
    """The older X-RateLimit-Limit, -Remaining and -Reset (seconds from now) of one decision."""
    return [
        ("x-ratelimit-limit", str(decision.limit.rate)),
        ("x-ratelimit-remaining", str(max(decision.remaining, 0))),
        ("x-ratelimit-reset", str(_seconds(decision.reset_after))),
    ]


def retry_after(decision: Decision, draw: Callable[[], float] = random.random) -> int | None:
    """Seconds for Retry-After, at least 1; None where waiting never helps. `draw` gives numbers in [0, 1)."""
    return None if decision.retry_after is None else later(decision.retry_after, draw)


def later(wait: float, draw: Callable[[], float] = random.random) -> int:
    """`wait` seconds as whole ones, at least 1 and up to a tenth later, so that not all come back together."""
    return max(1, _seconds(wait * (1 + JITTER * draw())))


def language(accept_language: str, default: Language = "en") -> Language:
    """Portuguese or English, whichever `Accept-Language` likes better; `default` where it likes neither."""
    best, liking = default, 0.0
    for part in accept_language[:256].lower().split(","):
        tag, _, parameters = part.partition(";")
        primary = tag.strip().partition("-")[0]
        if primary in ("pt", "en") and (quality := _quality(parameters)) > liking:
            best, liking = ("pt" if primary == "pt" else "en"), quality
    return best


def problem(denied: Iterable[Decision], wait: int | None, lang: Language = "en") -> dict[str, Any]:
    """Problem details (RFC 9457) of type quota-exceeded for the decisions that denied; `wait` as in Retry-After."""
    decisions = list(denied)
    worst = max(decisions, key=lambda d: math.inf if d.retry_after is None else d.retry_after)
    texts = _TEXTS[lang]
    detail = texts["never" if wait is None else "wait"].format(
        cost=worst.cost, rate=worst.limit.rate, per=duration(worst.limit.per, lang), wait=duration(wait or 0, lang)
    )
    members: dict[str, Any] = {
        "type": PROBLEM_TYPE,
        "title": texts["title"],
        "status": 429,
        "detail": detail,
        "violated-policies": [d.limit.name for d in decisions],
    }
    return members if wait is None else {**members, "retry-after": wait}


def problem_json(denied: Iterable[Decision], wait: int | None, lang: Language = "en") -> bytes:
    """`problem` as UTF-8."""
    return json.dumps(problem(denied, wait, lang), ensure_ascii=False).encode()


def duration(seconds: float, lang: Language) -> str:
    """Seconds in words, in the largest unit that fits, rounded up: `15 minutos`."""
    whole = _seconds(seconds)
    for size, names in _UNITS:
        if whole >= size and (whole % size == 0 or whole >= 2 * size):
            count = math.ceil(whole / size)
            return f"{count} {names[lang][count > 1]}"
    return f"{whole} {_UNITS[-1][1][lang][1]}"


def _seconds(value: float) -> int:
    """Whole seconds, up; a microsecond's worth of float dust is not a second."""
    return min(max(0, math.ceil(value - 1e-6)), _INTEGER)


def _name(limit: Limit) -> str:
    return _string(limit.name or f"{limit.rate}-per-{_seconds(limit.per)}s")


@lru_cache(maxsize=1024)
def _string(text: str) -> str:
    """A structured-field String (RFC 9651, 3.3.3)."""
    plain = quote(text, safe=_PRINTABLE)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quality(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
