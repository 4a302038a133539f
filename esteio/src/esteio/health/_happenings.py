"""What happened between two looks at a service: processes killed or replaced, circuits opened, settings changed. Pure.

Promises: the first look only compares with what the process before it remembered; nothing is told twice. A circuit that opened
and closed between two looks is told by its count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import floor

from esteio.health._history_file import Mark
from esteio.health._samples import Family

__all__ = ["Happenings", "circuit_states"]

_BEGAN = "began"  # the fact that says of which life of the service the last look was
_VERSION = "version"
_WORST_FIRST = ("forced open", "open", "half-open", "disabled", "metrics only", "closed")


class Happenings:
    """Call it at each look."""

    def __init__(self, remembered: Mapping[str, str]) -> None:
        self._facts = dict(remembered)
        self._ended: tuple[int, int] | None = None
        self._circuits: dict[str, str] | None = None
        self._opened: Mapping[str, float] = {}

    def __call__(
        self, now: float, began: float, ended: tuple[int, int], families: Iterable[Family], facts: Mapping[str, str]
    ) -> tuple[list[Mark], dict[str, str]]:
        """What happened, and the facts to remember.

        `began`: when the service did; `ended`: how many processes were killed and ended in order; `facts`: the version and the
        settings, by their names.
        """
        families = list(families)
        found = [*self._of_processes(now, ended), *self._of_circuits(now, families)]
        given = {_BEGAN: str(floor(began)), **facts}
        changed = {name: value for name, value in given.items() if self._facts.get(name) != value}
        # What is known for the first time is new to us, and no change.
        found += [
            _change(now, name, value) for name, value in changed.items() if name in self._facts and name != _BEGAN
        ]
        if _BEGAN in changed:
            found.append(Mark(began, "start"))
        self._facts |= given
        return found, changed

    def _of_processes(self, now: float, ended: tuple[int, int]) -> Iterator[Mark]:
        before, self._ended = self._ended, ended
        if before is None:
            return
        killed, replaced = (after - earlier for after, earlier in zip(ended, before, strict=True))
        if killed > 0:
            yield Mark(now, "kill", str(killed))
        if replaced > 0:
            yield Mark(now, "roll", str(replaced))

    def _of_circuits(self, now: float, families: Iterable[Family]) -> Iterator[Mark]:
        families = list(families)
        before, self._circuits = self._circuits, circuit_states(families)
        counted, self._opened = self._opened, _opened(families)
        if before is None:
            return
        for name, state in self._circuits.items():
            if before.get(name, "closed") != state:
                yield Mark(now, "circuit", name, state)
            elif state == "closed" and self._opened.get(name, 0.0) > counted.get(name, 0.0):
                yield Mark(now, "circuit", name, "open")
                yield Mark(now, "circuit", name, "closed")


def circuit_states(families: Iterable[Family]) -> dict[str, str]:
    """Of each circuit, `pipeline/policy`, the worst state that it has in any process."""
    found: dict[str, set[str]] = {}
    for family in families:
        if family.name == "esteio_policy_breaker_state":
            for (_, labels), processes in family.samples.items():
                label = dict(labels)
                states = found.setdefault(f"{label['pipeline']}/{label['policy']}", set())
                if processes:
                    states.add(label["state"])
    return {name: next((s for s in _WORST_FIRST if s in states), "closed") for name, states in found.items()}


def _opened(families: Iterable[Family]) -> dict[str, float]:
    """How often each circuit of the processes that live has opened."""
    return {
        f"{dict(labels)['pipeline']}/{dict(labels)['policy']}": value
        for family in families if family.name == "esteio_policy_breaker_opened"
        for (_, labels), value in family.samples.items()
    }  # fmt: skip


def _change(now: float, name: str, value: str) -> Mark:
    return Mark(now, _VERSION, value) if name == _VERSION else Mark(now, "setting", name)
