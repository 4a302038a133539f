"""The commands: `sispat COMMAND`, the same as `python -m sispat COMMAND`.

Promises: exit code 0 when it was done, 1 when it was not, 2 when the command line itself is wrong. What went wrong
is one block on stderr, without a traceback unless SISPAT_DEBUG or `--debug` asks for it. A password
is never an argument. All are in the language of SISPAT_LANG, else of the terminal.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command of `sys.argv` and exit."""
    from sispat.kernel import i18n

    i18n.set_default(i18n.of_environment())  # before the commands are imported, which read their help
    # Worker processes import the program's main module anew; they need none of this.
    if sys.argv[1:2] == ["job"]:  # nor does the process of a job, for whose start somebody waits
        from sispat.cli._job import run
    else:
        from sispat.cli._commands import run
    run()
