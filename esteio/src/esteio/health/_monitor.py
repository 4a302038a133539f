"""All checks of a process, as one report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esteio.health._check import Check, Result, Status

__all__ = ["Monitor", "Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole, and each part by its check's name."""

    status: Status
    results: Mapping[str, Result]


class Monitor:
    """Asks its checks side by side; the slowest one's time limit bounds the answer."""

    def __init__(self, checks: Sequence[Check] = ()) -> None:
        names = [check.name for check in checks]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            msg = f"Monitor: checks share the names {sorted(doubled)}; give each its own"
            raise ValueError(msg)
        self.checks = tuple(checks)

    async def report(self) -> Report:
        """FAIL when an essential check fails, WARN when anything else is not well, else PASS."""
        results = await asyncio.gather(*(check.ask() for check in self.checks))
        return Report(_overall(self.checks, results), {c.name: r for c, r in zip(self.checks, results, strict=True)})


def _overall(checks: Sequence[Check], results: Sequence[Result]) -> Status:
    if any(r.status is Status.FAIL and c.essential for c, r in zip(checks, results, strict=True)):
        return Status.FAIL
    return Status.PASS if all(r.status is Status.PASS for r in results) else Status.WARN
