"""A wall clock of its own for the processes that are drilled: `clock.c`, preloaded, and the file with the seconds it is off.

Promises: all processes that map the file leap at the same moment; monotonic clocks do not leap, as on a real machine. A
program that asks the kernel without the C library keeps the machine's time: etcd, as everything in Go, does.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

from sispat.kernel.i18n import _

__all__ = ["RIGHT", "compile_clock", "leap"]

RIGHT = bytes(8)
"""What stands in the file of a clock that is right."""
_SOURCE = Path(__file__).with_name("clock.c")


def compile_clock(library: Path) -> str | None:
    """Make the library to be preloaded; why that cannot be done, or None."""
    compiler = shutil.which("cc")
    if compiler is None:
        return _("não há compilador (cc) para o relógio do simulado")
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE)]
    made = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - our own source
    if made.returncode:
        return _("o relógio do simulado não compila: %(error)s", error=made.stderr.decode(errors="replace")[-300:])
    library.chmod(0o644)  # for every account
    return None


def leap(clock: Path, seconds: int) -> None:
    """Set the clock of that file off by so much; 0: right again."""
    with clock.open("r+b") as file:  # in place: it is mapped
        file.write(struct.pack("=q", seconds))
