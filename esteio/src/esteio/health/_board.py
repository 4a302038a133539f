"""What is said to all processes of a host at once, in the header of the file they share.

Promises: an order for a circuit stands until another one for the same circuit is given, for as long as the file is there, so a
process that begins later finds it. One process writes at a time (`Measurements` holds the lock); readers see an order whole or
not at all. Counts of how processes ended never go back.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import blake2b

from esteio.errors import EsteioError

__all__ = ["Board", "BoardFull", "CircuitOrder"]

_VERSION, _KILLED, _ENDED, _KILLED_AT, _WATCHED, _SALT, _DEATHS = 16, 17, 18, 19, 20, 21, 23  # words of the header
_ORDERS, _MOST = 64, 200  # where they begin, two words each; how many circuits may have one
_DIED, _DIED_WORDS, _DIED_MOST = 464, 8, 6  # the newest deaths: a moment and a name each
_SEQUENCE = 8  # bits below it say what is ordered


class CircuitOrder(IntEnum):
    """What a circuit is told to do, as the methods of `Circuit` are called."""

    RESET = 1
    ISOLATE = 2


class BoardFull(EsteioError):
    """There is no room for an order for one more circuit."""

    def __init__(self, name: str) -> None:
        self.circuit = name
        super().__init__(f"circuit {name!r}: {_MOST} other circuits have orders; a restart of the service forgets them")


class Board:
    """`words` and `floats` are the same header."""

    def __init__(self, words: memoryview[int], floats: memoryview[float]) -> None:
        self._words = words
        self._floats = floats

    @property
    def version(self) -> int:
        """Another one after each order."""
        return int(self._words[_VERSION])

    def put(self, name: str, order: CircuitOrder) -> None:
        """Write an order down; raises `BoardFull`."""
        digest = _digest(name)
        at = next((at for at in range(_ORDERS, _ORDERS + 2 * _MOST, 2) if int(self._words[at]) in (0, digest)), None)
        if at is None:
            raise BoardFull(name)
        number = (int(self._words[at + 1]) >> _SEQUENCE) + 1
        self._words[at + 1] = number << _SEQUENCE | order
        self._words[at] = digest  # from here on a new one is read
        self._words[_VERSION] += 1

    def find(self, name: str) -> tuple[int, CircuitOrder] | None:
        """The newest order for a circuit and its number; None where there was none."""
        digest = _digest(name)
        for at in range(_ORDERS, _ORDERS + 2 * _MOST, 2):
            found = int(self._words[at])
            if found == digest:
                word = int(self._words[at + 1])
                return word >> _SEQUENCE, CircuitOrder(word & ((1 << _SEQUENCE) - 1))
            if not found:
                break
        return None

    def process_ended(self, *, killed: bool, at: float) -> None:
        """Count a process that is gone: killed, or in order."""
        self._words[_KILLED if killed else _ENDED] += 1
        if killed:
            self._floats[_KILLED_AT] = at

    @property
    def ended(self) -> tuple[int, int]:
        """How many processes that measured were killed, and how many ended in order; those whose place was taken since."""
        return int(self._words[_KILLED]), int(self._words[_ENDED])

    @property
    def killed_at(self) -> float:
        """When the place of a killed process was last taken by another one, Unix seconds; 0 for never."""
        return float(self._floats[_KILLED_AT])

    def died(self, name: str, at: float) -> None:
        """Write down that a service beside the workers died; the newest few are kept. Called by one thread of each process."""
        count = int(self._words[_DEATHS])
        place = _DIED + count % _DIED_MOST * _DIED_WORDS
        text = name.encode("utf-8", "replace")[: 8 * (_DIED_WORDS - 1)].ljust(8 * (_DIED_WORDS - 1), b"\0")
        for number in range(_DIED_WORDS - 1):
            self._words[place + 1 + number] = int.from_bytes(text[8 * number : 8 * number + 8], "little")
        self._floats[place] = at
        self._words[_DEATHS] = count + 1

    @property
    def deaths(self) -> list[tuple[int, float, str]]:
        """Of each of the newest: its number, when, which service."""
        count = int(self._words[_DEATHS])
        found = []
        for number in range(max(0, count - _DIED_MOST), count):
            place = _DIED + number % _DIED_MOST * _DIED_WORDS
            text = bytes(self._words[place + 1 : place + _DIED_WORDS].tobytes()).rstrip(b"\0")
            found.append((number, float(self._floats[place]), text.decode("utf-8", "replace")))
        return found

    @property
    def watched_at(self) -> float:
        """When whoever watches the host last said that it lives, Unix seconds; 0 where nobody does, by intention."""
        return float(self._floats[_WATCHED])

    @watched_at.setter
    def watched_at(self, moment: float) -> None:
        self._floats[_WATCHED] = moment

    @property
    def salt(self) -> bytes:
        """What keys are hashed with before they are shown: the same for all processes, another one after a restart."""
        return bytes(self._words[_SALT : _SALT + 2].tobytes())

    def begin(self, salt: bytes) -> None:
        """In a file that nobody reads yet."""
        self._words[_SALT], self._words[_SALT + 1] = (int.from_bytes(salt[n : n + 8], "little") for n in (0, 8))


def _digest(name: str) -> int:
    """Never 0, which is a place that is free."""
    return int.from_bytes(blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "little") or 1
