"""Manifests and proofs, read from the first store that has a sound one.

Promises: what is damaged in a nearer store is told as its flaw and does not hide the copy in another. What did not
change since it was read is not read again: a catalogue that is asked every minute must not read hundreds of manifests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from esteio.backup._errors import BackupError
from esteio.backup._flaws import Flaw
from esteio.backup._folder import MANIFEST, MARKS, PROOF
from esteio.backup._manifest import Manifest
from esteio.backup._marks import Marks
from esteio.backup._problem import Problem, Trouble, why
from esteio.backup._proof import Proof
from esteio.backup.store import Store, Stored, StoreError
from esteio.clock import SYSTEM

__all__ = ["Read", "Reader", "read_small"]

R = TypeVar("R")

_SETTLED = 5.0  # seconds after which a time of modification tells one version from the next
_SAME_TRIAL = 600.0  # seconds by which stores may differ that were given one proof
_LARGEST = 64 * 1024 * 1024  # bytes of a manifest or proof that are read


@dataclass(frozen=True, slots=True)
class Read(Generic[R]):
    """A manifest or proof and its size; without a sound one `value` is None and `problem` says what is wrong."""

    value: R | None
    size: int
    flaws: tuple[Flaw, ...]
    """What is wrong with those of nearer stores."""
    problem: Problem | None


class Reader:
    """Reads, and remembers what it read."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Stored, bytes]] = {}  # by store and key, as they were when read

    def forget_all_but(self, keys: Collection[str]) -> None:
        """Of what is gone nothing needs to be remembered."""
        self._known = {each: known for each, known in self._known.items() if each[1] in keys}

    def manifest(self, backup: str, holders: Mapping[str, Stored], asked: Sequence[Store]) -> Read[Manifest]:
        """From the first of the stores `asked` that holds a sound one."""
        return self._first(backup, MANIFEST, holders, asked, lambda content: Manifest.from_json(content, backup=backup))

    def proof(self, backup: str, holders: Mapping[str, Stored], asked: Sequence[Store]) -> Read[Proof]:
        """As `manifest`, but one that a store missed because it was away does not hide a later one."""
        ordered = _latest_first(holders, asked, _SAME_TRIAL)
        return self._first(backup, PROOF, holders, ordered, lambda content: _proof(content, backup))

    def marks(self, backup: str, holders: Mapping[str, Stored], asked: Sequence[Store]) -> Read[Marks]:
        """From the store that was given them last."""
        ordered = _latest_first(holders, asked, 0.0)
        return self._first(backup, MARKS, holders, ordered, lambda content: Marks.from_json(content, backup=backup))

    def _first(
        self,
        backup: str,
        file: str,
        holders: Mapping[str, Stored],
        asked: Sequence[Store],
        parsed: Callable[[bytes], R],
    ) -> Read[R]:
        flaws: list[Flaw] = []
        problem = None
        for store in asked:
            if store.name in holders:
                try:
                    content = self._content(store, holders[store.name])
                    return Read(parsed(content), len(content), tuple(flaws), None)
                except (BackupError, StoreError, ValueError) as error:
                    damaged = Problem.of(Trouble.DAMAGED, backup=backup, file=file, reason=why(error))
                    problem = problem or damaged
                    flaws.append(_flaw(backup, store.name, file, error))
        return Read(None, 0, tuple(flaws), problem)

    def _content(self, store: Store, stored: Stored) -> bytes:
        known = self._known.get((store.name, stored.key))
        if known is not None and known[0] == stored:
            return known[1]
        content = read_small(store, stored.key)
        if SYSTEM.time() - stored.modified > _SETTLED:
            self._known[store.name, stored.key] = stored, content
        return content


def read_small(store: Store, key: str) -> bytes:
    """A manifest or a proof from one store; what is too long for one comes back cut."""
    collected = bytearray()
    with store.get(key) as source:
        while (data := source.read(1024 * 1024)) and len(collected) < _LARGEST:
            collected += data
    return bytes(collected)


def _latest_first(holders: Mapping[str, Stored], asked: Sequence[Store], same: float) -> list[Store]:
    """`asked`, but stores whose object is more than `same` seconds older than the newest come last."""
    newest = max(stored.modified for stored in holders.values())
    late = {name for name, stored in holders.items() if newest - stored.modified > same}
    return sorted(asked, key=lambda store: store.name in late)


def _flaw(backup: str, store: str, file: str, error: Exception) -> Flaw:
    if isinstance(error, StoreError):
        problem = Problem.of(Trouble.COPY_UNREADABLE, backup=backup, store=store, file=file, reason=why(error))
    else:
        problem = Problem.of(Trouble.COPY_CHANGED, backup=backup, store=store, file=file)
    return Flaw(store, file, problem)


def _proof(content: bytes, backup: str) -> Proof:
    proof = Proof.from_json(content)
    if proof.backup != backup:
        msg = f"it is of {proof.backup}"
        raise ValueError(msg)
    return proof
