"""The rules in force, replaced whole, and what they did.

Promises: a request is judged by one version of the rules, the one in force when it came; replacing them loses
neither a count nor what was already used under a limit that stays the same. Counts are kept per rule, and none is lost between
threads; of single keys those few that were denied the most are known, about as often as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from esteio.limit import Decision
from esteio.policy._forks import renew_after_fork
from esteio.web.limits._rule import Rule, RuleError

__all__ = ["RuleCounts", "RuleSet"]

Entry = tuple[Rule, "RuleCounts"]

_MOST_KEYS = 50
_MOST = 100  # each request looks at each rule


@dataclass(slots=True)
class RuleCounts:
    """What a rule decided: `shadowed` would have been denied; `degraded` were decided without the store.

    `denied_keys`: at most `_MOST_KEYS` keys and how often they were denied, by the Space-Saving algorithm (Metwally, Agrawal,
    El Abbadi 2005): a key that was denied more often than the least of them is among them, counted at most too high.
    """

    allowed: int = 0
    denied: int = 0
    shadowed: int = 0
    degraded: int = 0
    denied_keys: dict[str, int] = field(default_factory=dict)

    def add(self, decision: Decision) -> None:
        """Count one more."""
        if decision.shadow:
            self.shadowed += 1
        elif decision:
            self.allowed += 1
        else:
            self.denied += 1
            self._deny(decision.key)
        if decision.degraded:
            self.degraded += 1

    def _deny(self, key: str) -> None:
        keys = self.denied_keys
        if key in keys or len(keys) < _MOST_KEYS:
            keys[key] = keys.get(key, 0) + 1
        else:  # the newcomer takes the place and the count of the least
            least = min(keys, key=keys.__getitem__)
            keys[key] = keys.pop(least) + 1


class RuleSet:
    """`rules = RuleSet([Rule(...)])`, given to `RateLimits`; `rules.replace([...])` changes them while it runs."""

    __slots__ = ("__weakref__", "_counts", "_entries", "_lock", "_rules")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules: tuple[Rule, ...] = ()
        self._entries: tuple[Entry, ...] = ()
        self._counts: dict[str, RuleCounts] = {}
        self._lock = Lock()  # for the counts; rules are read without it, since they are replaced whole
        self.replace(rules)
        renew_after_fork(self)

    def renew(self) -> None:
        """In a forked child: the thread that held the lock is not there."""
        self._lock = Lock()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those in force."""
        return self._rules

    def replace(self, rules: Iterable[Rule]) -> None:
        """Put `rules` in force from the next request on; raises `RuleError` and changes nothing when they clash."""
        new = tuple(rules)
        if len(new) > _MOST:
            raise RuleError(getattr(new[_MOST], "name", ""), f"is number {_MOST + 1}", f"keep to {_MOST} rules")
        seen: set[str] = set()
        for rule in new:
            if not isinstance(rule, Rule):
                raise RuleError("", f"{rule!r} is none", 'pass Rule(limit=Limit(100, 900, name="api"))')
            if rule.name in seen:
                raise RuleError(rule.name, "the name is taken by another rule", "name each limit differently")
            seen.add(rule.name)
        self._counts = {rule.name: self._counts.get(rule.name) or RuleCounts() for rule in new}
        self._rules = new
        self._entries = tuple((rule, self._counts[rule.name]) for rule in new)

    def counts(self) -> Mapping[str, RuleCounts]:
        """What each rule in force decided since it was first put in force, by name; live, not a copy."""
        return self._counts

    def entries(self) -> tuple[Entry, ...]:
        """The rules in force, each with the counts to add to."""
        return self._entries

    def count(self, entries: Sequence[Entry], decisions: Sequence[Decision]) -> None:
        """Add what was decided for `entries` to their counts."""
        with self._lock:  # adding to a number takes several steps, and under WSGI several threads
            for (_, counts), decision in zip(entries, decisions, strict=True):
                counts.add(decision)
