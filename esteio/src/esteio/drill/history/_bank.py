"""Accounts whose sum never changes, whoever moves what between them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from esteio.drill.history._operation import Operation, Outcome, Verdict

__all__ = ["check_bank"]


def check_bank(operations: Sequence[Operation], accounts: Collection[Hashable], total: int) -> Verdict:
    """Whether every "read", which answers with what each account holds, saw exactly `accounts` and their sum `total`.

    Without a read that was answered the verdict is None.
    """
    reads = [each for each in operations if each.what == "read" and each.outcome is Outcome.OK]
    if not reads:
        return Verdict(None, ("no read was answered",), len(operations))
    problems = []
    for read in reads:
        if strange := set(read.answer) ^ set(accounts):
            problems.append(f"accounts {sorted(map(str, strange))} are missing or new at {read.called:.3f}")
        elif (found := sum(read.answer.values())) != total:
            problems.append(f"the sum is {found} instead of {total} at {read.called:.3f}")
        elif below := {account: held for account, held in read.answer.items() if held < 0}:
            problems.append(f"{below} is below 0 at {read.called:.3f}")
    return Verdict.of(problems, len(operations))
