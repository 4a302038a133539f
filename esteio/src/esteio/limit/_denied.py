"""Denials that are known to hold for a while.

Promises: a hit, or a group of hits, is answered from here only when the very same was denied before - same keys,
costs and limits - and until the moment from which it could pass; a denial of one cost says nothing about another.
What the rest of a denied group says is as of the denial. What was asked before something was given back is not
remembered after it. At most `size` denials of each kind, the oldest goes first. Safe across threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from esteio.limit._algorithms import NEVER
from esteio.limit._decision import Decision, decided
from esteio.limit._limit import SHORT_KEY, Hit, Limit, bounded_key

__all__ = ["Denied"]

Known = tuple[int, Limit, int, int, int]
Group = tuple[tuple[str, str, int], ...]


class Denied:
    """Denials by scope and key, and by group; `now` reads microseconds. A `size` of 0 remembers nothing.

    `generation` is to be read before the store is asked, and passed to what notes its answer.
    """

    def __init__(self, size: int, now: Callable[[], int]) -> None:
        self._size = size
        self._now = now
        self.generation = 0
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self._groups: OrderedDict[Group, tuple[int, int, list[Decision]]] = OrderedDict()

    def __len__(self) -> int:
        """Denials that are held now."""
        return len(self._known) + len(self._groups)

    # -- one hit

    def find(self, key: str, limit: Limit, cost: int) -> Decision | None:
        """The denial of this very hit with what is left of its wait, or None when the store has to be asked."""
        identity = (limit.scope, key if len(key) <= SHORT_KEY else bounded_key(key))
        known = self._known.get(identity)
        if known is None:
            return None
        until, denied, denied_cost, remaining, after = known
        if denied_cost != cost or (denied is not limit and denied != limit):
            return None
        left = until - self._now()
        if left <= 0:
            self._known.pop(identity, None)
            return None
        return decided(((), False, remaining, left + after, left), limit, key, cost)

    def note(self, denial: Decision, generation: int) -> None:
        """Remember what the store said just now; what is degraded or can never pass is not repeated from here."""
        retry = denial.retry_us
        if self._size and generation == self.generation and retry > 0 and not denial.degraded:
            _make_room(self._known, self._size)
            identity = (denial.limit.scope, bounded_key(denial.key))
            after = denial.reset_us - retry
            self._known[identity] = self._now() + retry, denial.limit, denial.cost, denial.remaining, after

    # -- several

    def find_group(self, hits: Sequence[Hit]) -> list[Decision] | None:
        """The same for a group."""
        group = _group(hits)
        known = self._groups.get(group)
        if known is None:
            return None
        until, wait, decisions = known
        passed = self._now() - until + wait
        if passed >= wait:
            self._groups.pop(group, None)
            return None
        later = []
        for each, hit in zip(decisions, hits, strict=True):
            if each.limit is not hit.limit and each.limit != hit.limit:
                return None
            later.append(_later(each, hit.key, passed))
        return later

    def note_group(self, hits: Sequence[Hit], decisions: list[Decision], generation: int) -> None:
        """The same for a group, until the last of its denials ends."""
        waits = [each.retry_us for each in decisions if not each]
        if not self._size or generation != self.generation or not waits:
            return
        if NEVER not in waits and not any(each.degraded for each in decisions):
            _make_room(self._groups, self._size)
            wait = max(waits)
            self._groups[_group(hits)] = self._now() + wait, wait, decisions

    def forget(self, key: str, limit: Limit) -> None:
        """The key was given something back; groups are few, so all of them are asked again."""
        self.generation += 1
        self._known.pop((limit.scope, bounded_key(key)), None)
        self._groups.clear()


def _group(hits: Sequence[Hit]) -> Group:
    return tuple([(key if len(key) <= SHORT_KEY else bounded_key(key), limit.scope, cost) for key, limit, cost in hits])


def _make_room(known: OrderedDict[Any, Any], size: int) -> None:
    while len(known) >= size:
        try:
            known.popitem(last=False)
        except KeyError:  # another thread took the last one between these two lines
            return


def _later(denied: Decision, key: str, passed: int) -> Decision:
    """What `denied` says `passed` microseconds later; a member whose own wait is over would pass alone."""
    reset, retry = max(0, denied.reset_us - passed), max(0, denied.retry_us - passed)
    return decided(((), not retry, denied.remaining, reset, retry), denied.limit, key, denied.cost)
