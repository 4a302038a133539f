"""The commands `esteio serve`, `doctor` and the groups `backup`, `cluster`, `maintenance`, `metrics`, `watch`; also
`python -m esteio`.

Promises: exit code 0 when it was done, 1 when it was not, 2 when the command line itself is wrong, 130 and 143 when it
was interrupted. What went wrong is one block on stderr, without a traceback. A password is never an argument.
`backup_commands` gives the same commands to another program, in its language and with its settings.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("cli"):
    import rich  # noqa: F401 - whether it is there
    import typer  # noqa: F401 - whether it is there

from esteio.cli._backup import Opened, backup_commands
from esteio.cli._main import main
from esteio.cli._metrics import MetricsWords, metrics_commands
from esteio.cli._notify import Notices
from esteio.cli._operate import Operation, operating
from esteio.cli._own import Own
from esteio.cli._schedule import run_command, scheduled
from esteio.cli._three import StatusWords, show_status
from esteio.cli._words import ENGLISH, Words

__all__ = [
    "ENGLISH",
    "MetricsWords",
    "Notices",
    "Opened",
    "Operation",
    "Own",
    "StatusWords",
    "Words",
    "backup_commands",
    "main",
    "metrics_commands",
    "operating",
    "run_command",
    "scheduled",
    "show_status",
]
