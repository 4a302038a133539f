"""How the backups are, as the operator beside the workers has written it.

Promises: no worker looks at a backup itself, nor loads what could: it reads one small file. A file that is old or
absent means that nobody makes backups, which is no pass.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esteio.health import Check, HistoryReader, checks
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings

__all__ = [
    "OPERATOR_STATE",
    "OWN_DIRECTORY",
    "BackupsAtRisk",
    "OperatorSilent",
    "backup_age",
    "backup_places",
    "history_file",
    "operator_state_file",
]

OPERATOR_STATE = "ESTEIO_OPERATOR_STATE"  # the environment's name for the file; from `sispat serve` to its workers
OWN_DIRECTORY = "backup"  # of the data directory, where no other one is named
_SILENT = 300.0  # seconds


class OperatorSilent(SispatError):
    """The operator has said nothing for some minutes, or nothing yet."""

    code = "operador-parado"

    def __init__(self, file: Path, *, ever: bool) -> None:
        self.file = file
        super().__init__(
            _(
                "O operador não escreveu %(file)s nos últimos %(minutes)s min: não se fazem cópias.",
                file=file,
                minutes=f"{_SILENT / 60:.0f}",
            )
            if ever
            else _("O operador ainda não escreveu %(file)s: não se sabe se há cópias.", file=file)
        )


class BackupsAtRisk(SispatError):
    """The operator is there, and says what is bad."""

    code = "copias-em-risco"

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def history_file(settings: Settings) -> Path:
    """Where the operator of this machine keeps the history of its health."""
    return settings.data_dir / "health.sqlite"


def operator_state_file(settings: Settings) -> Path:
    """Where the operator of this machine writes how the backups are."""
    return settings.data_dir / "operator.json"


def backup_places(settings: Settings, history: HistoryReader | None = None) -> list[Check]:
    """Whether the directory that backups are written into is there, and has room: known before any backup fails."""
    place = settings.backup_dir or settings.data_dir / OWN_DIRECTORY
    disk = checks.disk(place, name="backup:free", essential=False, history=history)
    return [checks.directory(place, name="backup:directory"), disk]


async def backup_age() -> float:
    """Hours since the newest backup that was proven was begun; 0 where another machine makes them."""
    file = Path(os.environ[OPERATOR_STATE])
    state = await asyncio.to_thread(_read, file)
    written = float(state.get("at", 0))
    if time.time() - written > _SILENT:
        raise OperatorSilent(file, ever=bool(state))
    if not state["active"]:
        return 0.0
    if problems := (*state["found"], *state["amiss"]):
        raise BackupsAtRisk(tuple(problema["text"] for problema in problems))
    return (float(state["verified_age"] or 0) + time.time() - written) / 3600


def _read(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
