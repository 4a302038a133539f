"""The commands: `sispat COMMAND`, the same as `python -m sispat COMMAND`.

Promises: exit code 0 when it was done, 1 when it was not, 2 when the command line itself is wrong. What went wrong
is one block on stderr, without a traceback unless SISPAT_DEBUG or `--debug` asks for it. A password
is never an argument. All are in the language of SISPAT_LANG, else of the terminal.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command of `sys.argv` and exit."""
    from sispat.kernel import i18n

    i18n.set_default(i18n.of_environment())  # before the commands are imported, which read their help
    # Worker processes import the program's main module anew; they need none of this.
    from sispat.cli._commands import run

    run()
