"""What goes to the script and what comes back: bytes, and nothing else. Pure.

One call decides a batch. Limits are sent as the numbers the script counts with, hits as fixed records that point to
keys and limits; the answer is one record a hit. Costs above what any limit allows are sent as the smallest such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha1
from importlib.resources import files
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import hiredis

from esteio.limit._limit import MOST, Limit, bounded_key, hashed_key

if TYPE_CHECKING:
    from asyncio import Future

    from esteio.limit._decision import Decision

__all__ = ["SHA", "SOURCE", "Mode", "Row", "Unit", "answers", "call", "packed", "raw", "state_key"]

SOURCE = files(__package__).joinpath("script.lua").read_bytes()
SHA = sha1(SOURCE, usedforsecurity=False).hexdigest().encode()

_ALGORITHMS = {"window": 1, "counter": 2, "gcra": 3, "fixed": 4}
_LIMIT = Struct("<B8d")
_HIT = Struct("<BBHHI").pack
_AMENDED = Struct("<BBHHId").pack
_ANSWER = Struct("<Bqqq")
_SHORT = 64

Row = tuple[int, int, int, int]
"""(allowed, remaining, reset_us, retry_us)"""


class Mode:
    """What is to be done with the hits of a unit; plain numbers, since they are compared for each hit."""

    DECIDE: Final = 0
    PEEK: Final = 1
    REFUND: Final = 2
    RESET: Final = 3
    CHARGE: Final = 4
    """Add what was admitted elsewhere, whether or not there is room."""
    RESTORE: Final = 5
    """See to it that at least so much is used."""


class Unit:
    """Hits that are decided together, and the keys Redis has for them.

    `age_us` says how long ago what is charged or restored happened. `future`, where a caller waits, `since`, the
    loop's time from which it does, and `moved`, when a node of a Cluster would not decide it, are for those who send it.
    """

    __slots__ = ("age_us", "future", "hits", "mode", "moved", "names", "since")

    def __init__(
        self, hits: Sequence[tuple[str, Limit, int]], names: Sequence[str], mode: int = Mode.DECIDE, age_us: int = 0
    ) -> None:
        self.hits = hits
        self.names = names
        self.mode = mode
        self.age_us = age_us
        self.future: Future[list[Decision]] | None = None
        self.since = 0.0
        self.moved = False

    def waits(self) -> bool:
        """Whether somebody still waits for it."""
        return self.future is not None and not self.future.done()

    def settle(self, decisions: list[Decision]) -> None:
        """Answer who waits."""
        if self.future is not None and not self.future.done():
            self.future.set_result(decisions)


def packed(*arguments: Any) -> bytes:
    """One command in Redis' protocol."""
    command: bytes = hiredis.pack_command(arguments)
    return command


def state_key(prefix: str, key: str, limit: Limit) -> str:
    """Where Redis keeps what `key` used of `limit`; in a Cluster, all limits of one key are in one slot.

    That is the slot of the key's own hash tag, where it has one, and otherwise of the key.
    """
    if len(key) > _SHORT:
        key = bounded_key(key)
    if "{" in key and _has_tag(key):
        return f"{prefix}+{key}:{limit.scope}"  # "+": "{ana}" is not the key "ana", which is kept as "{ana}", too
    if key[0] == "}":
        key = hashed_key(key)  # it would end the tag at once, and an empty tag is none
    return f"{prefix}{{{key}}}:{limit.scope}"


def _has_tag(key: str) -> bool:
    """Whether the first brace that opens in `key` is closed in it, and something stands between."""
    begin = key.find("{")
    return key.find("}", begin) > begin + 1


def raw(text: str) -> bytes:
    """UTF-8 of any text a key can be."""
    return text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=1024)
def _numbers(limit: Limit) -> bytes:
    step, step_part = divmod(limit.per_us, limit.rate)
    full, full_part = divmod(limit.capacity * limit.per_us, limit.rate)
    rule = _ALGORITHMS[limit.algorithm]
    return _LIMIT.pack(rule, limit.rate, limit.per_us, limit.capacity, limit.grain_us, step, step_part, full, full_part)


def call(units: Sequence[Unit], *, declared: bool = True, source: bool = False, at: bytes = b"") -> bytes:
    """The command that decides `units`.

    With `source` the script itself goes along, for a server that does not know it. `declared` is False in a
    Cluster, where the keys of one node are in many slots. `at` is the time in microseconds, for tests.
    """
    places: dict[str, int] = {}
    limits: dict[int, int] = {}
    numbers: list[bytes] = []
    records: list[bytes] = []
    for unit in units:
        mode = unit.mode
        follows = len(unit.names)
        for (_, limit, cost), name in zip(unit.hits, unit.names, strict=True):
            follows -= 1
            place = places.setdefault(name, len(places) + 1)
            number = limits.get(id(limit))
            if number is None:
                numbers.append(_numbers(limit))
                number = limits[id(limit)] = len(numbers)
            if mode > Mode.PEEK:
                records.append(_AMENDED(mode, 0, place, number, min(cost, 2 * MOST), unit.age_us))
            else:
                records.append(_HIT(mode, follows > 0, place, number, cost if cost <= MOST else MOST + 1))
    head = (b"EVAL", SOURCE) if source else (b"EVALSHA", SHA)
    own = [raw(name) for name in places]
    rest = (b"".join(numbers), b"".join(records), at)
    return packed(*head, len(own), *own, *rest) if declared else packed(*head, 0, *rest, *own)


def answers(reply: bytes) -> Iterator[Row]:
    """What the script said, hit by hit; ValueError when that is not an answer of it."""
    if not isinstance(reply, bytes) or len(reply) % _ANSWER.size:
        msg = f"not an answer of the script: {reply!r:.80}"
        raise ValueError(msg)
    return _ANSWER.iter_unpack(reply)
