"""How far a command is: a bar on a terminal, one line for each step elsewhere; both on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from esteio.cli._words import Words

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Bar"]


class Bar:
    """A `Progress` of `esteio.backup` within its block."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._step = ""
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, step: str, done: int, total: int, unit: str) -> None:
        """Show it."""
        began = step != self._step
        self._step = step
        if not sys.stderr.isatty():
            if began:
                print(f"{self._words.step(step)} ...", file=sys.stderr, flush=True)
            return
        if self._bars is None:
            self._bars = _bars()
            self._bars.start()
        if began:
            if self._task is not None:
                self._bars.stop_task(self._task)
            self._task = self._bars.add_task(self._words.step(step), total=total or None, unit=unit)
        assert self._task is not None
        self._bars.update(self._task, completed=done, total=total or None)

    def pause(self) -> None:
        """Leave the terminal to somebody else; the next call begins anew."""
        if self._bars is not None:
            self._bars.stop()
            self._bars, self._task, self._step = None, None, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.pause()


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    amount = TextColumn("{task.completed:,} {task.fields[unit]}")
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
