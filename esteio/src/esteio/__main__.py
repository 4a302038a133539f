"""`python -m esteio` is `esteio`.

Promises: `--help` and `--version` need no extra; another command without its extra says which one it needs.
"""

from __future__ import annotations

import sys

from esteio import __version__
from esteio.extras import ExtraMissing

__all__ = ["main"]

_HELP = """Usage: esteio [--version] [--help] COMMAND ...

High availability for Python services.

Commands:
  serve        Serve an ASGI application with workers that are kept alive. Needs "esteio[cli,serve]".
  backup       Make, verify, copy and restore backups of PostgreSQL. Needs "esteio[cli,backup]".
  maintenance  Close the service for a while, and open it again. Needs "esteio[cli]".
  metrics      Rules for Prometheus and a dashboard for Grafana. Needs "esteio[cli]".
  watch        Watch services from another machine. Needs "esteio[watch]".
  doctor       Look for what would break this service next. Needs "esteio[cli]" and the extras of what it looks at.

{problem}"""


def main() -> None:
    """Run the command of `sys.argv` and exit."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        print(f"esteio {__version__}")
        return
    try:
        from esteio.cli import main as run
    except ExtraMissing as missing:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(_HELP.format(problem=missing))
            return
        sys.exit(f"Error: {missing}")
    run()


if __name__ == "__main__":
    main()
