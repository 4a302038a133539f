"""All checks of a process, as one report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from esteio.health._check import Check, Result, Status

__all__ = ["Monitor", "Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole, and each part by its check's name; `causes` are the failures that no other failure explains.

    Where the whole is UNKNOWN, they are the essential checks that have not answered yet.
    """

    status: Status
    results: Mapping[str, Result]
    causes: tuple[str, ...] = ()


class Monitor:
    """Asks its checks side by side. An answer takes at most `patience` seconds, whatever the limits of the checks are:

    of a check that is not done by then its last result is taken, with its time; of one that never answered, UNKNOWN.
    """

    def __init__(self, checks: Sequence[Check] = (), *, patience: float = 0.9) -> None:
        names = [check.name for check in checks]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            msg = f"Monitor: checks share the names {sorted(doubled)}; give each its own"
            raise ValueError(msg)
        for check in checks:
            if missing := set(check.depends_on) - set(names):
                msg = f"Monitor: check {check.name!r} depends on {sorted(missing)}, which is no check of this monitor"
                raise ValueError(msg)
        self.checks = tuple(checks)
        self._patience = patience

    async def report(self) -> Report:
        """FAIL if an essential check fails, UNKNOWN if one never answered, WARN if anything else is not well, else PASS."""
        asked = {check.name: asyncio.ensure_future(check.ask()) for check in self.checks}
        if asked:
            _, late = await asyncio.wait(asked.values(), timeout=self._patience)
            for each in late:
                each.cancel()  # only our wait: the probe goes on, and its answer is the next one's
        results = {check.name: _result(check, asked[check.name]) for check in self.checks}
        status = _overall(self.checks, results)
        found = _causes if status is not Status.UNKNOWN else _silent
        return Report(status, results, found(self.checks, results))


def _result(check: Check, asked: asyncio.Future[Result]) -> Result:
    if asked.done() and not asked.cancelled():
        return asked.result()
    last = check.last
    return last if last.status is not Status.UNKNOWN else replace(last, reason="no answer yet")


def _overall(checks: Sequence[Check], results: Mapping[str, Result]) -> Status:
    if any(results[c.name].status is Status.FAIL and c.essential for c in checks):
        return Status.FAIL
    if _silent(checks, results):
        return Status.UNKNOWN  # nobody knows that it works, so nobody may say that it does
    return Status.PASS if all(r.status is Status.PASS for r in results.values()) else Status.WARN


def _silent(checks: Sequence[Check], results: Mapping[str, Result]) -> tuple[str, ...]:
    return tuple(each.name for each in checks if each.essential and results[each.name].status is Status.UNKNOWN)


def _causes(checks: Sequence[Check], results: Mapping[str, Result]) -> tuple[str, ...]:
    """Transitive: a check that depends on one that is well, which depends on one that fails, is explained by the latter."""
    above = {check.name: check.depends_on for check in checks}

    def explained(name: str, seen: frozenset[str]) -> bool:
        return any(
            results[parent].status is Status.FAIL or explained(parent, seen | {parent})
            for parent in above[name]
            if parent not in seen
        )

    return tuple(
        name for name in above if results[name].status is Status.FAIL and not explained(name, frozenset({name}))
    )
