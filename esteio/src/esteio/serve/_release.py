"""Which release a new process is of, where a link says so.

`$ESTEIO_RELEASE` names a link to a virtual environment, such as /opt/service/current. Promises: a process stays with the
environment that it was started from, also where it imports something late; one that is started later is of the
environment that the link leads to then. Without the variable, or where the link leads to nothing that this Python can run,
new processes are of our own environment, as ever; the latter is logged.

multiprocessing gives a worker the supervisor's executable and search path, so for the moment of a start these two are those of
the release.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from pathlib import Path

__all__ = ["VARIABLE", "release_in_force", "release_of_new_processes"]

VARIABLE = "ESTEIO_RELEASE"
_logger = logging.getLogger("esteio.serve")


def release_in_force() -> Path:
    """The environment that a process is of which is started now."""
    own = Path(sys.prefix)
    link = os.environ.get(VARIABLE)
    if not link:
        return own
    found = Path(os.path.realpath(link))
    library = found / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not ((found / "bin" / "python").exists() and library.is_dir()):
        _logger.error(
            "%s leads to %s, which is no environment of this Python; new processes are of %s", link, found, own
        )
        return own
    return found


@contextmanager
def release_of_new_processes() -> Iterator[None]:
    """Within the block, multiprocessing starts processes of the release in force."""
    own, release = Path(os.path.realpath(sys.prefix)), release_in_force()
    if os.path.realpath(release) == str(own):
        yield
        return
    executable, path = spawn.get_executable(), sys.path[:]
    spawn.set_executable(str(release / "bin" / "python"))
    sys.path[:] = [_of(release, own, each) for each in path]
    try:
        yield
    finally:
        sys.path[:] = path
        spawn.set_executable(executable)


def _of(release: Path, own: Path, entry: str) -> str:
    real = Path(os.path.realpath(entry)) if entry else None
    return str(release / real.relative_to(own)) if real is not None and real.is_relative_to(own) else entry
