"""What the scheduler remembers from one start to the next, in a file that is replaced whole.

Promises: a file that can't be read is no memory, and one that can't be written changes nothing but the next start;
both are logged. Numbers alone, as they were written once, are moments that were handled.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from esteio.backup.schedule._decision import Known
from esteio.system import atomic_write

__all__ = ["recall", "remember"]

_logger = logging.getLogger("esteio.backup")


def recall(path: Path) -> dict[str, Known]:
    """What `remember` wrote."""
    try:
        found = json.loads(path.read_text())
        return {str(name): _known(each) for name, each in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        _logger.warning("%s cannot be read: tasks wait for their next moment", path)
        return {}


def remember(path: Path, known: Mapping[str, Known]) -> None:
    """Write it so that it is there after a crash."""
    try:
        atomic_write(path, json.dumps({name: asdict(each) for name, each in known.items()}).encode())
    except OSError as error:
        _logger.warning("%s cannot be written: after a restart, what ran now may run again: %s", path, error)


def _known(found: Any) -> Known:
    if isinstance(found, dict):
        again = found.get("again")
        return Known(float(found["handled"]), int(found.get("failures", 0)), None if again is None else float(again))
    return Known(float(found))
