"""Programs of the system that an installation needs, such as systemctl: run to their end, or an error with their words."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from esteio.errors import EsteioError

__all__ = ["CommandFailed", "run_command"]

_LONG = 300.0  # seconds: a service that is started may take its time


class CommandFailed(EsteioError):
    """`command` ended badly, with the words `said`; `missing`: there is no such program."""

    def __init__(self, command: str, said: str, *, missing: bool = False) -> None:
        self.command, self.said, self.missing = command, said, missing
        super().__init__(f"{command} failed: {said}")


def run_command(words: Sequence[str]) -> None:
    """Run it; CommandFailed."""
    command = " ".join(words)
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_LONG)  # noqa: S603
    except FileNotFoundError:
        raise CommandFailed(command, f"there is no {words[0]}, which comes with systemd", missing=True) from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(command, f"it did not end within {_LONG:g} s") from None
    if done.returncode:
        raise CommandFailed(command, (done.stderr or done.stdout).strip())
