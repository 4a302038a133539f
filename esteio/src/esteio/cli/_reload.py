"""New workers when the code changes, for development.

Promises: a change rolls the workers as SIGHUP does, so no request is lost, and code that can't be imported leaves the old
workers serving. It looks at times of files twice a second; at most 10,000 files are followed.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Self

__all__ = ["Reloader", "changed_files"]

_logger = logging.getLogger("esteio.serve")
_EVERY = 0.5  # seconds
_MOST_FILES = 10_000
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


class Reloader:
    """While the block lasts, sends SIGHUP to this process after a .py file below `root` has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen = dict(_times(root))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="esteio-reload", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                self._look()
            except Exception:
                _logger.exception("looking for changed files failed; it goes on")

    def _look(self) -> None:
        now = dict(_times(self._root))
        changed = changed_files(self._seen, now)
        self._seen = now
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            _logger.info("%s%s changed: new workers", changed[0], more)
            os.kill(os.getpid(), signal.SIGHUP)


def changed_files(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """What came, went or has another time, sorted."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _times(root: Path) -> Iterator[tuple[str, int]]:
    return islice(_walk(root), _MOST_FILES)


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    for folder, folders, files in os.walk(root):
        folders[:] = [each for each in folders if each not in _SKIPPED and not each.startswith(".")]
        for name in files:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                try:
                    yield path, os.stat(path).st_mtime_ns
                except OSError:  # deleted meanwhile
                    continue
