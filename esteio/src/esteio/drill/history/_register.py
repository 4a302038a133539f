"""Is there an order of the operations of one register that explains every answer?

An operation takes effect at one moment between its call and its return. The search puts one operation after the other
into such an order: next may come any whose call is not after the return of another that is still to come. It remembers
which sets of operations with which value led nowhere (Lowe, "Testing for linearizability", 2017), so that each is tried
once. Operations that failed are left out; those without an answer may come at any time after their call, or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from esteio.drill.history._operation import Operation, Outcome, Verdict

__all__ = ["check_register"]

_NOT_POSSIBLE = object()


def check_register(operations: Sequence[Operation], initial: Any = None, *, most_states: int = 200_000) -> Verdict:
    """Whether a register that began as `initial` could have answered so.

    `what` is "read" (the answer is the value), "write" (the value is what is written) or "cas" (the value is a pair, what
    was expected and what is written; one that met another value has FAILED). After `most_states` the verdict is None.
    Raises ValueError for another operation.
    """
    if strange := {each.what for each in operations} - {"read", "write", "cas"}:
        msg = f"check_register: operations {sorted(strange)}; allowed: read, write, cas"
        raise ValueError(msg)
    found = sorted(_of_weight(operations), key=lambda each: each.called)
    if problems := _from_nowhere(found, initial):
        return Verdict.of(problems, len(found))
    return _Search(found, most_states).run(initial)


def _of_weight(operations: Sequence[Operation]) -> list[Operation]:
    """Without those that failed, reads without an answer, and changes without an answer whose value nobody met.

    Such a change may be left out of any order that has it: whatever came after it wrote over it. Each of them would
    double the search.
    """
    found = [each for each in operations if each.outcome is Outcome.OK or _may_have_changed(each)]
    while True:
        met = [each.answer if each.what == "read" else each.value[0] for each in found if each.what != "write"]
        kept = [each for each in found if each.outcome is Outcome.OK or _written(each) in met]
        if len(kept) == len(found):
            return kept
        found = kept


def _may_have_changed(each: Operation) -> bool:
    return each.outcome is Outcome.UNKNOWN and each.what != "read"


def _written(each: Operation) -> Any:
    return each.value[1] if each.what == "cas" else each.value


def _from_nowhere(operations: Sequence[Operation], initial: Any) -> list[str]:
    """Reads of what nobody wrote: found without a search, and named exactly."""
    written = [initial, *(_written(each) for each in operations if each.what != "read")]
    return [
        f"client {each.client} read {each.answer!r} at {each.returned:.6f}, which nobody wrote"
        for each in operations
        if each.what == "read" and each.answer not in written
    ]


class _Search:
    def __init__(self, operations: Sequence[Operation], most_states: int) -> None:
        self._operations = operations
        self._most = most_states
        self._required = sum(1 << n for n, each in enumerate(operations) if each.outcome is Outcome.OK)
        self._furthest = 0

    def run(self, initial: Any) -> Verdict:
        seen: set[tuple[int, Any]] = {(0, initial)}
        way: list[Iterator[tuple[int, Any]]] = [self._next(0, initial)]
        count = len(self._operations)
        if not self._required:
            return Verdict(True, (), count)
        while way:
            step = next(way[-1], None)
            if step is None:
                way.pop()
            elif step not in seen:
                seen.add(step)
                done = step[0]
                if done & self._required == self._required:
                    return Verdict(True, (), count)
                if len(seen) > self._most:
                    return Verdict(None, (f"not decided after {self._most} states",), count)
                if (done & self._required).bit_count() > (self._furthest & self._required).bit_count():
                    self._furthest = done
                way.append(self._next(*step))
        return Verdict(False, (self._explanation(),), count)

    def _next(self, done: int, value: Any) -> Iterator[tuple[int, Any]]:
        for number in self._candidates(done):
            after = _apply(self._operations[number], value)
            if after is not _NOT_POSSIBLE:
                yield done | 1 << number, after

    def _candidates(self, done: int) -> list[int]:
        """Those whose call is not after the first return of what is still to come; those with an answer first."""
        limit, open_ = math.inf, []
        first = (~done & (done + 1)).bit_length() - 1  # all before it are done
        for number in range(first, len(self._operations)):
            each = self._operations[number]
            if each.called > limit:
                break  # they are in the order of their calls, and the limit only falls
            if not done >> number & 1:
                open_.append(number)
                limit = min(limit, each.ends)
        possible = [number for number in open_ if self._operations[number].called <= limit]
        return sorted(possible, key=lambda number: self._operations[number].ends)

    def _explanation(self) -> str:
        """What could not be placed in the longest order that was found."""
        left = [
            each
            for number, each in enumerate(self._operations)
            if each.outcome is Outcome.OK and not self._furthest >> number & 1
        ]
        first = min(left, key=lambda each: each.returned)
        return (
            f"no order explains {first.what} {first.value!r} of client {first.client}, which returned "
            f"{first.answer!r} at {first.returned:.6f}"
        )


def _apply(operation: Operation, value: Any) -> Any:
    """The value after it, or that it cannot have come here."""
    if operation.what == "read":
        return value if operation.answer == value else _NOT_POSSIBLE
    if operation.what == "write":
        return operation.value
    expected, new = operation.value
    return new if expected == value else _NOT_POSSIBLE
