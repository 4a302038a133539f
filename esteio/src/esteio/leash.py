"""A program that does not outlive who started it.

Promises: on Linux the kernel ends it (SIGTERM) with the thread that started it, however that ended, kill -9 included;
keep that thread while the program runs. Elsewhere it ends when it next reads from us or writes to us.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["leashed"]

_PLATFORM: str = sys.platform

# Run between us and the program: asks the kernel to end it with us. The look at the parent closes the gap before.
_BOUND = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(1,15,0,0,0);"
    "os.getppid()==int(sys.argv[1]) or os._exit(143);"
    "os.nice(int(sys.argv[2]));"
    "os.execv(sys.argv[3],sys.argv[3:])"
)
_NICER = "import os,sys;os.nice(int(sys.argv[1]));os.execv(sys.argv[2],sys.argv[2:])"


def leashed(command: Sequence[str], *, nice: int = 0) -> list[str]:
    """The command line that runs `command`, whose first word is a path, tied to us.

    `nice`, from 0 to 19, is how far it stands back for others: in CPU time and, as the kernel derives that from it
    (ionice(1)), in its turn at the disk.
    """
    if _PLATFORM == "linux":
        return [sys.executable, "-ISc", _BOUND, str(os.getpid()), str(nice), *command]
    if nice and hasattr(os, "nice"):
        return [sys.executable, "-ISc", _NICER, str(nice), *command]
    return list(command)
