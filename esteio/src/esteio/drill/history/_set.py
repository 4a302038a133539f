"""Elements that are added once, and reads of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from esteio.drill.history._operation import Operation, Outcome, Verdict

__all__ = ["check_set"]


def check_set(operations: Sequence[Operation]) -> Verdict:
    """Whether a set could have answered so.

    "add" has the element as its value; each element is added once, by one call or by several of the same client that
    repeat it. "read" answers with all elements, as often as each is there. The last read has to come after all adds
    returned, or nothing says that what was acknowledged last is there: without one the verdict is None.
    """
    adds = [each for each in operations if each.what == "add"]
    reads = sorted((e for e in operations if e.what == "read" and e.outcome is Outcome.OK), key=lambda e: e.called)
    last = max((each.returned for each in adds), default=0.0)
    if not reads or reads[-1].called < last:
        return Verdict(None, ("no read after the last add",), len(operations))
    problems = [problem for read in reads for problem in _of_read(read, adds)]
    problems += _vanished(reads)
    return Verdict.of(problems, len(operations))


def _of_read(read: Operation, adds: Sequence[Operation]) -> list[str]:
    found = Counter(read.answer)
    acknowledged = {each.value for each in adds if each.outcome is Outcome.OK and each.returned < read.called}
    possible = {each.value for each in adds if each.outcome is not Outcome.FAILED and each.called < read.returned}
    at = f"in the read of {read.called:.3f}"
    return [
        *(f"{element!r} was acknowledged and is missing {at}" for element in sorted(acknowledged - found.keys())),
        *(f"{element!r} is there {times} times {at}" for element, times in found.items() if times > 1),
        *(f"{element!r} was never added, or refused, and is there {at}" for element in sorted(found.keys() - possible)),
    ]


def _vanished(reads: Sequence[Operation]) -> list[str]:
    """What a read saw is in every read that was called after that one had returned."""
    problems = []
    for number, later in enumerate(reads):
        seen = {element for each in reads[:number] if each.returned < later.called for element in each.answer}
        problems += [f"{element!r} was seen and is gone at {later.called:.3f}" for element in seen - set(later.answer)]
    return sorted(problems)
