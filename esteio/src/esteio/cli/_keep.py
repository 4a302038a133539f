"""Services in the foreground, for a container or a unit of systemd.

Promises: kept running until we are told to end, each restarted by itself when it dies; stopped in order on the way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esteio.serve import Service, ServiceRunner

__all__ = ["keep", "kept"]


def keep(*services: Service) -> int:
    """Run `services` until told to end; the exit code. The first start of each has to succeed: raises its error."""
    from esteio.serve import ServiceRunner

    return kept(ServiceRunner(services, demanding=True))


def kept(runner: ServiceRunner) -> int:
    """Run it until told to end; the exit code that a shell expects of a program that a signal ended."""
    number = runner.run()
    return 128 + number if number else 0
