"""Services in the foreground, for a container or a unit of systemd.

Promises: kept running until we are told to end, each restarted by itself when it dies; stopped in order on the way out.
The command then ends with the exit code of that signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from esteio.serve import Caretaker, Service

__all__ = ["ended", "keep"]


def keep(service: Service) -> None:
    """Run `service` until told to end; its first start has to succeed."""
    from esteio.serve import Caretaker

    ended(Caretaker([service], demanding=True))


def ended(caretaker: Caretaker) -> None:
    """Run it, and end the command as the shell expects of a program that a signal ended."""
    number = caretaker.run()
    raise typer.Exit(128 + number if number else 0)
