"""What one store lacks of a backup that it should have.

Promises: pure. By names and sizes alone: cheap enough for every list, and enough to find what was cut short, never
arrived or was removed. Changed bytes are found by reading (`_copies.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esteio.backup._problem import Problem, Trouble

__all__ = ["WHOLE", "Flaw", "flaws_by_size"]

WHOLE = ""


@dataclass(frozen=True, slots=True)
class Flaw:
    """`file` of a backup is not in `store` as it was written; `WHOLE` as the file means all of it.

    `right` names the stores that were read and have it as it was written.
    """

    store: str
    file: str
    problem: Problem
    right: tuple[str, ...] = ()


def flaws_by_size(
    backup: str, wanted: Mapping[str, int], manifest: str, found: Mapping[str, Mapping[str, int]], stores: Sequence[str]
) -> tuple[Flaw, ...]:
    """Compare the sizes `found` (by file, then store) with the `wanted` ones in each of `stores`.

    A store without the file `manifest` never got a whole copy: that is one flaw, whatever else lies there.
    """
    flaws = []
    for store in stores:
        if store not in found.get(manifest, {}):
            flaws.append(Flaw(store, WHOLE, Problem.of(Trouble.COPY_ABSENT, backup=backup, store=store)))
            continue
        for file, written in wanted.items():
            size = found.get(file, {}).get(store)
            if size is None:
                lacks = Problem.of(Trouble.COPY_LACKS_FILE, backup=backup, store=store, file=file)
                flaws.append(Flaw(store, file, lacks))
            elif size != written:
                differs = Problem.of(
                    Trouble.COPY_SIZE, backup=backup, store=store, file=file, found=size, written=written
                )
                flaws.append(Flaw(store, file, differs))
    return tuple(flaws)
