"""What the rules say to one request: pure but for the question to the limiter.

Promises: the rules that deny are asked together, all or nothing: a request that one rule denies is charged by none.
Rules in shadow are asked afterwards, one by one, only for requests that pass, and deny nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

from esteio.limit import Decision, Hit, RateLimiter
from esteio.limit.headers import legacy_fields, rate_limit_field, retry_after
from esteio.web.limits._rule import Rule
from esteio.web.limits._rules import Entry, RuleSet

__all__ = ["Denial", "Fields", "Judge", "Outcome"]

Fields = list[tuple[bytes, bytes]]


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

    def fields(self, legacy: bool = False) -> Fields:
        """RateLimit-Policy and RateLimit, and with `legacy` the X-RateLimit-* of the tightest."""
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


class Judge:
    """Rules and the limiter that is asked about them."""

    def __init__(self, limiter: RateLimiter, rules: RuleSet) -> None:
        self.rules = rules
        self._limiter = limiter
        self._shadow = RateLimiter(limiter.store, shadow=True)  # the same counts, told apart in events

    async def __call__(self, scope: Scope) -> Outcome | None:
        """Ask every rule that is about this request; None where none is."""
        asked: list[Entry] = []
        hits: list[Hit] = []
        shadows: list[tuple[Entry, Hit]] = []
        for entry in self.rules.entries():
            hit = _hit(entry[0], scope)
            if hit is None:
                continue
            if entry[0].shadow:
                shadows.append((entry, hit))
            else:
                asked.append(entry)
                hits.append(hit)
        if not hits and not shadows:
            return None
        decisions = await self._ask(hits)
        allowed = all(decisions)
        if allowed:
            for entry, hit in shadows:
                asked.append(entry)
                decisions.append(await self._shadow.hit(*hit))
        for (_, counts), decision in zip(asked, decisions, strict=True):
            counts.add(decision)
        return Outcome([rule for rule, _ in asked], decisions, allowed)

    async def _ask(self, hits: list[Hit]) -> list[Decision]:
        if len(hits) == 1:
            return [await self._limiter.hit(*hits[0])]
        return list(await self._limiter.hit_all(hits)) if hits else []


def _hit(rule: Rule, scope: Scope) -> Hit | None:
    if not rule.matches(scope):
        return None
    key = rule.key(scope)
    if key is None:
        return None
    price = rule.price(scope)
    return Hit(key, rule.limit, price) if price else None
