"""How an operator's backups are, for others to read.

Promises: the file is replaced whole, so a reader sees the old one or the new one. What is in it is true at `at`; who
reads asks `problems` with the time of day, so that an operator that is silent is a problem too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from esteio.backup._problem import Problem, Trouble
from esteio.system import atomic_write

__all__ = ["OperatorState", "read_state", "write_state"]

_SILENT = 300.0  # seconds after which an operator that wrote nothing is taken as gone
_PROBLEMS = ("found", "amiss")


@dataclass(frozen=True, slots=True)
class OperatorState:
    """Moments in seconds since the epoch, ages in seconds at `at`; None where there is nothing to tell."""

    at: float
    pid: int
    active: bool
    """False: another machine makes the backups now, and this one waits."""
    found: tuple[Problem, ...] = ()
    """What is bad of the backups; anybody can find that out from the stores."""
    amiss: tuple[Problem, ...] = ()
    """What is bad of the archive and of what else runs here; only the operator knows."""
    newest: str | None = None
    newest_age: float | None = None
    verified: str | None = None
    verified_age: float | None = None
    restore_seconds: float | None = None
    """How long the trial of the newest verified backup took to restore."""
    lag: int | None = None
    """Bytes of the log that are not in the archive yet; None without an archive, or while the server is away."""
    services: Mapping[str, str] = field(default_factory=dict)
    """What runs in the operator, and why it does not; empty when it does."""

    def problems(self, now: float) -> tuple[Problem, ...]:
        """What is bad at `now` beyond what the stores tell."""
        if (silent := now - self.at) > _SILENT:
            return (Problem.of(Trouble.OPERATOR_SILENT, minutes=silent / 60), *self.amiss)
        return self.amiss


def write_state(path: Path, state: OperatorState) -> None:
    """Replace what `path` says; OSError when that can't be done."""
    plain = {field.name: getattr(state, field.name) for field in fields(state)}
    plain |= {name: [problem.plain() for problem in plain[name]] for name in _PROBLEMS}
    atomic_write(path, (json.dumps(plain, ensure_ascii=False, indent=2) + "\n").encode())


def read_state(path: Path) -> OperatorState | None:
    """What an operator wrote; None when there is none, or it can't be understood."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        problems = {name: tuple(map(Problem.from_plain, found[name])) for name in _PROBLEMS}
        return OperatorState(**{**found, **problems})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
