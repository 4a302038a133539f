"""What a part of Esteio needs beyond the core, and the error when it is not installed.

Promises: whoever imports a part without its extra gets one sentence that says which `pip install` brings it. The error is an
ImportError too, so `try: ... except ImportError` works as ever. An ImportError for another reason stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from esteio.errors import EsteioError

__all__ = ["ExtraMissing", "needs"]


class ExtraMissing(EsteioError, ImportError):
    """A part of Esteio was used whose `extra` is not installed; `module` is what was not found."""

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        self.module = module
        super().__init__(f'{module} is not installed; the extra brings it: pip install "esteio[{extra}]"')


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around the first imports of a part: raises ExtraMissing in place of ModuleNotFoundError."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not module or module == "esteio":
            raise
        raise ExtraMissing(extra, module) from error
