"""Files that are whole or absent, whatever happens meanwhile.

Promises: after `write_whole` has returned the file survives a crash; a reader at any moment sees the old content or the
new one. OSError when the system refuses; then the old content is still there, and nothing is left beside it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["sync_directory", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Make `path` a file of `content` that only this account can read, in place of what was there."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the entries of `directory` durable; Windows does that by itself."""
    if sys.platform == "win32":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
