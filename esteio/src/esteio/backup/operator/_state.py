"""How an operator's backups are, for others to read.

Promises: the file is replaced whole, so a reader sees the old one or the new one. What is in it is true at `at`; who
reads asks `problems` with the time of day, so that an operator that is silent is a problem too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from esteio.durable import write_whole

__all__ = ["OperatorState", "read_state", "write_state"]

_SILENT = 300.0  # seconds after which an operator that wrote nothing is taken as gone


@dataclass(frozen=True, slots=True)
class OperatorState:
    """Moments in seconds since the epoch, ages in seconds at `at`; None where there is nothing to tell."""

    at: float
    pid: int
    active: bool
    """False: another machine makes the backups now, and this one waits."""
    found: tuple[str, ...] = ()
    """What is bad of the backups, in sentences; anybody can find that out from the stores."""
    amiss: tuple[str, ...] = ()
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

    def problems(self, now: float) -> tuple[str, ...]:
        """What is bad at `now` beyond what the stores tell."""
        if (silent := now - self.at) > _SILENT:
            return (f"the operator has said nothing for {silent / 60:.0f} min: no backups are made", *self.amiss)
        return self.amiss


def write_state(path: Path, state: OperatorState) -> None:
    """Replace what `path` says; OSError when that can't be done."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_whole(path, (json.dumps(asdict(state), ensure_ascii=False, indent=2) + "\n").encode())


def read_state(path: Path) -> OperatorState | None:
    """What an operator wrote; None when there is none, or it can't be understood."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return OperatorState(**{**found, "found": tuple(found["found"]), "amiss": tuple(found["amiss"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
