"""PostgreSQL's own programs, run without a shell: found, matched with the server, watched and ended."""

from __future__ import annotations

from esteio.backup.tools._environment import environment
from esteio.backup.tools._running import Running
from esteio.backup.tools._toolbox import Toolbox

__all__ = ["Running", "Toolbox", "environment"]
