"""How far a long piece of work is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Progresso"]


class Progresso:
    """Call it with (done, total); the bar appears with the first call, so work already done shows none."""

    def __init__(self, rotulo: str) -> None:
        self._rotulo = rotulo
        self._barra: Progress | None = None
        self._tarefa: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, tipo: type[BaseException] | None, erro: BaseException | None, tb: TracebackType | None) -> None:
        if self._barra is not None:
            self._barra.stop()

    def __call__(self, feitos: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        if self._barra is None:
            from rich.console import Console
            from rich.progress import Progress

            self._barra = Progress(console=Console(stderr=True), transient=True)
            self._tarefa = self._barra.add_task(self._rotulo, total=total)
            self._barra.start()
        assert self._tarefa is not None
        self._barra.update(self._tarefa, completed=feitos, total=total)
