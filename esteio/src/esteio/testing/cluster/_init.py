"""Runs a program, and takes note of the end of whatever that program leaves behind, at once, as systemd does.

Without it that is done by process 1 of where the test runs, which in containers may take seconds; until then a server that
was killed looks alive to the Patroni that watches it. Run as a file, with nothing but the standard library: it is started
for each such program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    """Its exit code is the program's; signals to end are passed on."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    program = os.posix_spawnp(command[0], command, os.environ)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda number, _: os.kill(program, number))
    while True:
        ended, status = os.wait()
        if ended == program:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
