"""What the machine itself says: processor, memory, swap, load.

Promises: values of which nothing is known are left out; the processor is what was used since the last call. Needs the extra
`host`; without it nothing is known.
"""

from __future__ import annotations

import os
from typing import Any

__all__ = ["HOST", "HostFacts"]

HOST = {
    "host.cpu": "percent of all processors, since the last sample",
    "host.memory": "percent of the memory that is not available",
    "host.swap": "percent of the swap that is used",
    "host.load": "processes that run or wait, average of a minute, for each processor",
}
"""Names of the series and their units."""


class HostFacts:
    """Call it at each sample."""

    def __init__(self) -> None:
        self._psutil: Any = _psutil()
        if self._psutil is not None:
            self._psutil.cpu_percent()  # the first answer means nothing

    def __call__(self) -> dict[str, float]:
        """The newest values."""
        psutil = self._psutil
        if psutil is None:
            return {}
        found = {"host.cpu": float(psutil.cpu_percent()), "host.memory": float(psutil.virtual_memory().percent)}
        swap = psutil.swap_memory()
        if swap.total:
            found["host.swap"] = float(swap.percent)
        if hasattr(os, "getloadavg"):
            found["host.load"] = os.getloadavg()[0] / (os.cpu_count() or 1)
        return found


def _psutil() -> Any:
    try:
        import psutil
    except ImportError:
        return None
    return psutil
