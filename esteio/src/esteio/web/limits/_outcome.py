"""What the rules say to one request: pure but for the question to the limiter.

Promises: the rules that deny are asked together, all or nothing: a request that one rule denies is charged by none.
Rules in shadow are asked afterwards, one by one, only for requests that pass, and deny nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import get_args

from starlette.types import Scope

from esteio.limit import Decision, Hit, LimitError, RateLimiter, SyncRateLimiter
from esteio.limit.headers import Language, language, legacy_fields, problem_json, rate_limit_field, retry_after
from esteio.web.limits._rule import Rule
from esteio.web.limits._rules import Entry, RuleSet

__all__ = ["Denial", "Fields", "Judge", "Outcome", "SyncJudge", "added_to", "check_language", "problem_answer"]

Fields = list[tuple[bytes, bytes]]

_LISTS = (b"ratelimit-policy", b"ratelimit")
_REMAINING = b"x-ratelimit-remaining"


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request was denied. `retry_after`: seconds as in the header, None where waiting never helps."""

    denied: tuple[Decision, ...]
    retry_after: int | None


class Outcome:
    """The rules that were asked and their decisions, in the same order."""

    __slots__ = ("allowed", "decisions", "rules")

    def __init__(self, rules: Sequence[Rule], decisions: Sequence[Decision], allowed: bool) -> None:
        self.rules = rules
        self.decisions = decisions
        self.allowed = allowed

    def denial(self) -> Denial:
        """Of a request that may not pass: which rules say so, and when to come back."""
        denied = tuple(each for each in self.decisions if not each)
        waits = [retry_after(each) for each in denied]
        known = [wait for wait in waits if wait is not None]
        return Denial(denied, max(known) if len(known) == len(waits) else None)

    def fields(self, legacy: bool = False, denial: Denial | None = None) -> Fields:
        """RateLimit-Policy and RateLimit, with `legacy` the X-RateLimit-* of the tightest, of a `denial` Retry-After."""
        fields = self._standing(legacy)
        if denial is not None and denial.retry_after is not None:
            fields.append((b"retry-after", str(denial.retry_after).encode()))
        return fields

    def _standing(self, legacy: bool) -> Fields:
        told = [(rule.policy, each) for rule, each in zip(self.rules, self.decisions, strict=True) if not rule.shadow]
        if not told:
            return []
        fields = [
            (b"ratelimit-policy", ", ".join([policy for policy, _ in told]).encode()),
            (b"ratelimit", ", ".join([rate_limit_field(each) for _, each in told]).encode()),
        ]
        if legacy:
            tightest = min((each for _, each in told), key=lambda each: (each.allowed, each.remaining))
            fields += [(name.encode(), value.encode()) for name, value in legacy_fields(tightest)]
        return fields


def added_to(headers: Iterable[tuple[bytes, bytes]], fields: Fields) -> Fields:
    """`headers` of an answer and our `fields`, each in one line, though the answer tells of a limit of its own.

    RateLimit and RateLimit-Policy are lists (RFC 9651, 3.1): its items follow ours. Many clients read one line only. Of
    X-RateLimit-*, which have room for one limit, those of the tighter one stay; Retry-After is the answer's own.
    """
    ours = dict(fields)
    headers = list(headers)
    own = [(name.lower(), value) for name, value in headers if name.lower() in ours]
    if not own:
        return [*headers, *fields]
    others = [(name, value) for name, value in headers if name.lower() not in ours]
    lists = [
        (name, b", ".join([ours[name], *(value for its, value in own if its == name)]))
        for name in _LISTS
        if name in ours
    ]
    return [*others, *lists, *_of_one_limit(ours, dict(own))]


def _of_one_limit(ours: dict[bytes, bytes], own: dict[bytes, bytes]) -> Fields:
    tighter = own if _remaining(own) <= _remaining(ours) else ours
    legacy = [(name, value) for name, value in tighter.items() if name.startswith(b"x-ratelimit-")]
    wait = own.get(b"retry-after", ours.get(b"retry-after"))
    return legacy if wait is None else [*legacy, (b"retry-after", wait)]


def _remaining(fields: dict[bytes, bytes]) -> float:
    """What X-RateLimit-Remaining says; infinite where it says nothing."""
    value = fields.get(_REMAINING, b"")
    return int(value) if value.isdigit() else inf


def check_language(name: str, value: object) -> None:
    """Raise LimitError unless `value` is a language we speak."""
    if value not in get_args(Language):
        raise LimitError(name, value, " or ".join(repr(each) for each in get_args(Language)))


def problem_answer(denial: Denial, accept_language: str, default_language: Language) -> tuple[Fields, bytes]:
    """Fields and body of the usual answer: problem details (RFC 9457) in the language that Accept-Language asks for."""
    lang = language(accept_language, default_language)
    body = problem_json(denial.denied, denial.retry_after, lang)
    return [
        (b"content-type", b"application/problem+json"),
        (b"content-language", lang.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"accept-language"),
    ], body


class Question:
    """The rules that are about one request, and what the limiter is to be asked for them."""

    __slots__ = ("_asked", "_rules", "_shadow", "hits", "shadow_hits")

    def __init__(self, rules: RuleSet, scope: Scope) -> None:
        self._rules = rules
        self._asked: list[Entry] = []
        self._shadow: list[Entry] = []
        self.hits: list[Hit] = []
        """Asked together, all or nothing."""
        self.shadow_hits: list[Hit] = []
        """Asked afterwards, one by one, when all of the others passed."""
        for entry in rules.entries():
            hit = _hit(entry[0], scope)
            if hit is not None:
                (self._shadow if entry[0].shadow else self._asked).append(entry)
                (self.shadow_hits if entry[0].shadow else self.hits).append(hit)

    def __bool__(self) -> bool:
        """Whether any rule is about the request."""
        return bool(self.hits or self.shadow_hits)

    def outcome(self, decisions: Sequence[Decision], shadows: Sequence[Decision]) -> Outcome:
        """Count what was decided, and say it; no `shadows` where the request is denied."""
        asked = self._asked + self._shadow[: len(shadows)]
        said = [*decisions, *shadows]
        self._rules.count(asked, said)
        return Outcome([rule for rule, _ in asked], said, all(decisions))


class Judge:
    """Rules and the limiter that is asked about them."""

    def __init__(self, limiter: RateLimiter, rules: RuleSet) -> None:
        if not isinstance(limiter, RateLimiter):
            raise LimitError("limiter", limiter, "a RateLimiter; WsgiRateLimits takes a SyncRateLimiter")
        self.rules = rules
        self._limiter = limiter
        self._shadow = RateLimiter(limiter.store, shadow=True)  # the same counts, told apart in events

    async def __call__(self, scope: Scope) -> Outcome | None:
        """Ask every rule that is about this request; None where none is."""
        question = Question(self.rules, scope)
        if not question:
            return None
        decisions = await self._ask(question.hits)
        shadows = [await self._shadow.hit(*hit) for hit in question.shadow_hits] if all(decisions) else []
        return question.outcome(decisions, shadows)

    async def _ask(self, hits: list[Hit]) -> Sequence[Decision]:
        if len(hits) == 1:
            return [await self._limiter.hit(*hits[0])]
        return await self._limiter.hit_all(hits) if hits else []


class SyncJudge:
    """`Judge` for threads."""

    def __init__(self, limiter: SyncRateLimiter, rules: RuleSet) -> None:
        if not isinstance(limiter, SyncRateLimiter):
            raise LimitError("limiter", limiter, "a SyncRateLimiter; RateLimits takes a RateLimiter")
        self.rules = rules
        self._limiter = limiter
        self._shadow = SyncRateLimiter(limiter.store, shadow=True)

    def __call__(self, scope: Scope) -> Outcome | None:
        """Ask every rule that is about this request; None where none is."""
        question = Question(self.rules, scope)
        if not question:
            return None
        decisions = self._limiter.hit_all(question.hits) if question.hits else []
        shadows = [self._shadow.hit(*hit) for hit in question.shadow_hits] if all(decisions) else []
        return question.outcome(decisions, shadows)


def _hit(rule: Rule, scope: Scope) -> Hit | None:
    if not rule.matches(scope):
        return None
    key = rule.key(scope)
    if key is None:
        return None
    price = rule.price(scope)
    return Hit(key, rule.limit, price) if price else None
