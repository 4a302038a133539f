"""Runs the program that imports apprise, and reads its answer.

Promises: returns within the seconds it was given, or two more; addresses go to the process by a pipe, so they are in no
process list. No part of an address but its host is in a reason that it returns. `NoAnswer` when the process did not answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from esteio.alert._errors import AlertError
from esteio.alert._masking import redacted
from esteio.alert._notice import Notice

__all__ = ["NoAnswer", "run_apprise"]

_PROGRAM = Path(__file__).with_name("_apprise.py")
_LONGEST = 400  # characters of a reason
_GRACE = 2.0  # seconds its own watchdog has before we end it


class NoAnswer(AlertError):
    """Whether the address can be used, or the notice was taken, is unknown."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"no channel could be asked: {reason}; try again when the machine has less to do")


def run_apprise(urls: Sequence[str], sender: str, timeout: float, notice: Notice | None = None) -> list[str]:
    """Why each of `urls` cannot be used, or did not take `notice`; "" where all is well."""
    request = {"timeout": timeout, "sender": sender, "urls": list(urls)}
    if notice is not None:
        request["notice"] = {"subject": notice.subject, "body": notice.body, "level": notice.level}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-P", str(_PROGRAM)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout + _GRACE,
            check=False,
            start_new_session=True,
        )
        answers = [str(each) for each in json.loads(done.stdout)]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        raise NoAnswer(f"no answer within {timeout:.0f} s") from None
    except OSError as error:
        raise NoAnswer(f"no process could be started: {error.strerror}") from error
    return [redacted(answer, url)[:_LONGEST] for answer, url in zip(answers, urls, strict=True)]
