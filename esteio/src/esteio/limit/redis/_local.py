"""What is decided here while Redis can't be asked, so that nobody gets a second allowance. Pure.

Promises: each key gets this instance's part of what Redis said was left of it, and nothing more until that has
expired; afterwards this instance's part of the whole. What was let pass is a pending charge, kept until Redis has
been told. At most `most` keys of each kind; one that has to go because of that takes its charges with it, and is
counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from esteio.limit._algorithms import State
from esteio.limit._decision import Decision
from esteio.limit._group import decide_group
from esteio.limit._limit import Hit, Limit
from esteio.limit._on_failure import is_denied_anyway, on_failure
from esteio.limit.redis._script import Mode, Unit

__all__ = ["Epoch", "Known", "Local", "Memory", "PendingCharge"]


class Known(NamedTuple):
    """What Redis said last about a key: at `at_us`, `remaining` of `limit` was left and would be whole after `reset_us`."""

    limit: Limit
    remaining: int
    reset_us: int
    at_us: int

    def counts(self, now: int) -> bool:
        """Whether any of it is still used."""
        return self.at_us + self.reset_us > now

    def since(self) -> int:
        """When all that was used must have been used, to count until Redis said, and no shorter."""
        limit = self.limit
        if limit.algorithm == "gcra":
            return self.at_us
        windows = 2 if limit.algorithm == "counter" and self.reset_us > limit.per_us else 1
        return self.at_us + self.reset_us - windows * limit.per_us


class Memory:
    """What Redis said last, for the `most` keys asked for most recently (at least half as many)."""

    def __init__(self, most: int) -> None:
        self._half = max(1, most // 2)
        self.young: dict[str, tuple[Limit, int, int, int]] = {}
        """By state key the fields of `Known`: a plain tuple, since every decision makes one."""
        self._old: dict[str, tuple[Limit, int, int, int]] = {}

    def turn(self) -> None:
        """Keep it bounded; after each batch."""
        if len(self.young) > self._half:
            self._old, self.young = self.young, {}

    def get(self, name: str) -> Known | None:
        """What is known of a state key."""
        found = self.young.get(name) or self._old.get(name)
        return None if found is None else Known(*found)

    def forget(self, name: str) -> None:
        """Nothing is used any more."""
        self.young.pop(name, None)
        self._old.pop(name, None)

    def restorations(self, owns: Callable[[str], bool], now_us: Callable[[], int]) -> Iterator[Unit]:
        """What a server that lost everything has to be told, made one by one."""
        older = [item for item in self._old.items() if item[0] not in self.young]
        for name, fields in [*older, *self.young.items()]:
            known, now = Known(*fields), now_us()
            used = known.limit.capacity - known.remaining
            if used > 0 and known.counts(now) and owns(name):
                yield Unit((("", known.limit, used),), (name,), Mode.RESTORE, max(0, now - known.since()))


class PendingCharge(NamedTuple):
    """`cost` was let pass, the last of it at `last_us`; `wiped` when a reset came before."""

    name: str
    limit: Limit
    cost: int
    last_us: int
    wiped: bool

    def units(self, now: int) -> list[Unit]:
        """What Redis has to be told."""
        hits = (("", self.limit, self.cost),)
        wipe = [Unit(hits, (self.name,), Mode.RESET)] if self.wiped else []
        return [*wipe, Unit(hits, (self.name,), Mode.CHARGE, max(0, now - self.last_us))] if self.cost else wipe


class Epoch:
    """From one moment to the next at which Redis knew everything; what was counted in another epoch is void."""

    __slots__ = ()


class _Entry:
    __slots__ = ("epoch", "last", "limit", "pending", "state", "wiped")

    def __init__(self, limit: Limit, state: State, epoch: Epoch) -> None:
        self.limit = limit
        self.state = state
        self.epoch = epoch
        self.pending = 0
        self.last = 0
        self.wiped = False


class Local:
    """The share that this instance has of every limit, and the charges that Redis has to be told."""

    def __init__(self, most: int, memory: Memory) -> None:
        self._most = most
        self._memory = memory
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._pending: dict[str, None] = {}
        self.forgotten = 0
        """Hits that were let pass and will never be charged."""

    def __len__(self) -> int:
        return len(self._entries)

    def decide(
        self,
        hits: Sequence[Hit],
        names: Sequence[str],
        charge: bool,
        reason: str,
        instances: int,
        now: int,
        epoch: Epoch,
    ) -> list[Decision]:
        """Decide as `on_failure` of each limit says, all or nothing."""
        charge = charge and not any(map(is_denied_anyway, hits))
        pairs = [pair for pair in zip(hits, names, strict=True) if pair[0].limit.on_failure == "local"]
        for hit, name in pairs:
            self._entry(name, hit.limit, instances, now, epoch)
        counted = [hit._replace(limit=hit.limit.share(instances)) for hit, _ in pairs]
        decisions, kept = decide_group(counted, [name for _, name in pairs], self._state, now, charge)
        if charge and all(decisions):
            for hit, name in zip(hits, names, strict=True):
                self._add_charge(name, self._entry(name, hit.limit, instances, now, epoch), hit, now)
            for name, (state, _) in kept.items():
                self._entries[name].state = state
        answers = iter(decisions)
        return [on_failure(hit, next(answers) if hit.limit.on_failure == "local" else None, reason) for hit in hits]

    def refund(self, hit: Hit, name: str, instances: int, now: int, epoch: Epoch) -> None:
        """Give back here, and charge less later."""
        entry = self._entry(name, hit.limit, instances, now, epoch)
        entry.state = hit.limit.rule.refund(entry.state, now, hit.cost, hit.limit.share(instances))
        entry.pending = max(0, entry.pending - hit.cost)

    def reset(self, hit: Hit, name: str, instances: int, now: int, epoch: Epoch) -> None:
        """Forget here, and have Redis forget."""
        self._memory.forget(name)
        entry = self._entry(name, hit.limit, instances, now, epoch)
        entry.state, entry.pending, entry.wiped = (), 0, True
        self._pending[name] = None

    # -- charges

    def charges(self, owns: Callable[[str], bool]) -> Iterator[PendingCharge]:
        """Of keys that `owns` says yes to, one by one; who takes a charge tells Redis, or takes it back."""
        for name in [each for each in tuple(self._pending) if owns(each)]:
            self._pending.pop(name, None)
            entry = self._entries.get(name)
            if entry is None or not (entry.pending or entry.wiped):
                continue
            cost, wiped = entry.pending, entry.wiped
            entry.pending, entry.wiped = 0, False
            yield PendingCharge(name, entry.limit, cost, entry.last, wiped)

    def take_back(self, charge: PendingCharge, now: int, epoch: Epoch) -> None:
        """Redis could not be told, or nobody knows: better charged twice than never."""
        known = self._entries.get(charge.name)
        entry = self._entry(charge.name, charge.limit, 1, now, epoch)
        if charge.cost and (known is None or entry is not known):
            age = max(0, now - charge.last_us)
            entry.state = charge.limit.rule.charge(entry.state, now, charge.cost, charge.limit, age)
        entry.pending = min(entry.pending + charge.cost, charge.limit.capacity)
        entry.last = max(entry.last, charge.last_us)
        entry.wiped = entry.wiped or charge.wiped
        self._pending[charge.name] = None

    def sweep(self, epoch: Epoch) -> Iterator[None]:
        """Drop what was counted in `epoch`, a thousand keys a step."""
        for number, name in enumerate(tuple(self._entries), 1):
            entry = self._entries.get(name)
            if entry is not None and entry.epoch is epoch and not (entry.pending or entry.wiped):
                del self._entries[name]
            if number % 1000 == 0:
                yield

    # -- one key

    def _entry(self, name: str, limit: Limit, instances: int, now: int, epoch: Epoch) -> _Entry:
        entry = self._entries.get(name)
        if entry is not None and entry.epoch is epoch:
            self._entries.move_to_end(name)
            entry.limit = limit
            return entry
        fresh = _Entry(limit, self._inherited(name, limit.share(instances), instances, now), epoch)
        if entry is not None:
            fresh.pending, fresh.last, fresh.wiped = entry.pending, entry.last, entry.wiped
            del self._entries[name]
        while len(self._entries) >= self._most:
            gone, dropped = self._entries.popitem(last=False)
            self._pending.pop(gone, None)
            self.forgotten += dropped.pending
        self._entries[name] = fresh
        return fresh

    def _inherited(self, name: str, share: Limit, instances: int, now: int) -> State:
        """The share of this instance, less what is used already as far as Redis told."""
        known = self._memory.get(name)
        if known is None or not known.counts(now):
            return ()
        part = max(1, known.remaining // instances) if known.remaining else 0
        used = share.capacity - part
        return share.rule.charge((), now, used, share, max(0, now - known.since())) if used > 0 else ()

    def _state(self, name: str) -> State:
        return self._entries[name].state

    def _add_charge(self, name: str, entry: _Entry, hit: Hit, now: int) -> None:
        entry.pending = min(entry.pending + hit.cost, hit.limit.capacity)
        entry.last = now
        self._pending[name] = None
