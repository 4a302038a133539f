"""What is allowed: an immutable definition, checked when it is made.

Promises: a `Limit` that exists can be decided exactly by every algorithm and store; anything else is a
`LimitError` that names the field. Limits that are equal in `name` and `algorithm` share what was consumed, whatever
their numbers: a changed rate goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

from esteio.limit._algorithms import ALGORITHMS, Algorithm, Judge, State, Verdict
from esteio.limit._algorithms._counter import GRAINS
from esteio.limit._algorithms._window import CELLS, STEPS
from esteio.limit._errors import LimitError

__all__ = [
    "LONGEST",
    "MOST",
    "SHORT_KEY",
    "AlgorithmName",
    "Hit",
    "Limit",
    "OnFailure",
    "bounded_key",
    "check_count",
    "check_hit",
    "check_seconds",
    "hashed_key",
]

AlgorithmName = Literal["window", "counter", "gcra", "fixed"]
OnFailure = Literal["local", "closed", "open"]

MOST: Final = 1 << 26
"""The largest rate, burst and cost: products with it stay exact in the doubles of Redis' Lua."""

LONGEST: Final = 366 * 86400.0
"""The longest `per`, and the longest time a burst may take to come back, in seconds."""

SHORT_KEY: Final = 64
"""Characters that are within the bytes a store keeps of a key, whatever they are."""

_KEY_BYTES = 4 * SHORT_KEY
_SHORTEST = 0.001
_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """`rate` hits within `per` seconds.

    `algorithm`: `window` (exact: never more than `rate` in any interval of `per`), `counter` (two windows, weighted),
    `gcra` (evenly spaced, `burst` at once, default `rate`) or `fixed` (begins again every `per`). `name` identifies
    it in stores, headers and events; without one, its definition does. `on_failure` says what happens to hits while a
    shared store can't be asked: `local` counts this instance's share here, `closed` denies, `open` lets pass.

    Raises `LimitError` for a rate, burst outside 1 to 67,108,864, a `per` outside 0.001 to 31,622,400 seconds, or a
    burst that takes longer than that to come back.
    """

    rate: int
    per: float
    algorithm: AlgorithmName = field(default="window", kw_only=True)
    name: str = field(default="", kw_only=True)
    burst: int | None = field(default=None, kw_only=True)
    on_failure: OnFailure = field(default="local", kw_only=True)

    scope: str = field(init=False, repr=False, compare=False)
    per_us: int = field(init=False, repr=False, compare=False)
    capacity: int = field(init=False, repr=False, compare=False)
    grain_us: int = field(init=False, repr=False, compare=False)
    rule: Algorithm = field(init=False, repr=False, compare=False)
    judge: Judge = field(init=False, repr=False, compare=False)  # rule.decide, one look-up nearer

    def __post_init__(self) -> None:
        check_count("rate", self.rate, 1, MOST)
        check_seconds("per", self.per, _SHORTEST, LONGEST)
        _check_choice("algorithm", self.algorithm, tuple(ALGORITHMS))
        _check_choice("on_failure", self.on_failure, ("local", "closed", "open"))
        _check_name(self.name)
        if self.burst is not None:
            self._check_burst(self.burst)
        per_us = round(self.per * 1_000_000)
        known = {
            "per_us": per_us,
            "capacity": self.burst or self.rate,
            "grain_us": self._grain(per_us),
            "scope": f"{self.algorithm}:{self.name or str(self)}",
            "rule": ALGORITHMS[self.algorithm],
            "judge": ALGORITHMS[self.algorithm].decide,
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)

    def _check_burst(self, burst: int) -> None:
        if self.algorithm != "gcra":
            raise LimitError("burst", burst, f"None: {self.algorithm!r} has no burst, only 'gcra' has")
        check_count("burst", burst, 1, MOST)
        if burst * self.per > self.rate * LONGEST:
            raise LimitError(
                "burst", burst, f"at most {int(self.rate * LONGEST / self.per)}, what comes back in 366 days"
            )

    def _grain(self, per_us: int) -> int:
        if self.algorithm == "window":
            return 1 if self.rate <= CELLS else -(-per_us // STEPS)
        return -(-per_us // GRAINS)

    def __str__(self) -> str:
        burst = f" burst {self.burst}" if self.burst is not None else ""
        return self.name or f"{self.rate} per {self.per:g} s{burst}"

    def decide(self, state: State, now_us: int, cost: int) -> Verdict:
        """Judge a hit, and charge it when it passes; see `esteio.limit._algorithms`."""
        return self.judge(state, now_us, cost, self)

    def share(self, instances: int) -> Limit:
        """What one of `instances` may let pass by itself: an equal part, rounded down, but at least 1."""
        if type(instances) is not int or instances < 1:
            check_count("instances", instances, 1)
        return self if instances == 1 else _share(self, instances)


def _most_burst(rate: int, per: float) -> int:
    return int(rate * LONGEST / per)


@lru_cache(maxsize=1024)
def _share(limit: Limit, instances: int) -> Limit:
    rate = max(1, limit.rate // instances)
    if limit.burst is None:
        return replace(limit, rate=rate)
    return replace(limit, rate=rate, burst=max(1, min(limit.burst // instances, _most_burst(rate, limit.per))))


class Hit(NamedTuple):
    """`cost` uses of `limit` by `key`; several of them are decided together by `hit_all`."""

    key: str
    limit: Limit
    cost: int = 1


def check_hit(key: object, cost: object) -> None:
    """Raise `LimitError` unless `key` is text that is not empty and `cost` a whole number from 1."""
    if not isinstance(key, str) or not key:
        raise LimitError("key", key, "text of at least one character, such as a user's id or an address")
    if isinstance(cost, bool) or not isinstance(cost, int) or cost < 1:
        raise LimitError("cost", cost, "a whole number, 1 or more")


def bounded_key(key: str) -> str:
    """`key` itself up to 256 bytes of UTF-8, else a hash of it: what a store keeps is bounded."""
    if len(key) <= SHORT_KEY:
        return key
    return key if len(key.encode("utf-8", "surrogatepass")) <= _KEY_BYTES else hashed_key(key)


def hashed_key(key: str) -> str:
    """A hash of `key`: 33 characters, none of them a brace."""
    return f"#{blake2b(key.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def check_count(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raise `LimitError` unless `value` is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        raise LimitError(
            name,
            value,
            f"a whole number, {least} or more" if most is None else f"a whole number from {least} to {most}",
        )


def check_seconds(name: str, value: object, least: float, most: float) -> None:
    """Raise `LimitError` unless `value` is a number of seconds from `least` to `most`; nan is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise LimitError(name, value, f"seconds from {least:.15g} to {most:.15g}")


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise LimitError(name, value, f"one of {', '.join(allowed)}")


def _check_name(value: object) -> None:
    if not isinstance(value, str) or len(value) > _NAME_LENGTH or not value.isprintable():
        raise LimitError("name", value, f"at most {_NAME_LENGTH} printable characters")
