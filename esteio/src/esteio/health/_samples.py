"""Metrics of other parts - the pool, limits, policies - as each worker wrote them down, added up over workers.

Promises: counters and histograms are added over all workers there ever were, gauges over those that live, or as
`esteio.metrics` says of them. What can't be understood is left out: it was written while its writer was killed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import add

from esteio.metrics import of_family

__all__ = ["Family", "fold_pages", "merge_pages"]

_GROWING = ("counter", "histogram", "summary")
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its samples by their name and labels. `kind` as in the exposition format."""

    name: str
    kind: str
    help: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)

    @property
    def grows(self) -> bool:
        """Whether its samples are counters, which outlive the process that counted them."""
        return self.kind in _GROWING


def pack(families: Iterable[Family]) -> bytes:
    """As bytes."""
    plain = [[f.name, f.kind, f.help, [[name, labels, v] for (name, labels), v in f.samples.items()]] for f in families]
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), 1)


def unpack(page: bytes) -> list[Family]:
    """From bytes; empty when they are none."""
    try:
        return [
            Family(
                name, kind, text, {(s, tuple((k, v) for k, v in labels)): float(value) for s, labels, value in samples}
            )
            for name, kind, text, samples in (json.loads(zlib.decompress(page)) if page else ())
        ]
    except (ValueError, TypeError, zlib.error):
        return []


def merge_pages(pages: Sequence[tuple[bool, bytes]]) -> tuple[Family, ...]:
    """All pages together; with each, whether its writer lives."""
    merged: dict[str, Family] = {}
    for alive, page in pages:
        for family in unpack(page):
            if alive or family.grows:
                _add(merged.setdefault(family.name, Family(family.name, family.kind, family.help)), family)
    return tuple(merged.values())


def fold_pages(base: bytes, leaving: bytes) -> bytes:
    """What stays of both when the writer of the second is gone."""
    return pack(merge_pages([(False, base), (False, leaving)]))


def _add(into: Family, family: Family) -> None:
    definition = of_family(family.name)
    together = _MERGES[definition.merge if definition else "sum"]
    for key, value in family.samples.items():
        known = into.samples.get(key)
        into.samples[key] = value if known is None else together(known, value)


_MERGES: dict[str, Callable[[float, float], float]] = {"sum": add, "least": min, "most": max}
