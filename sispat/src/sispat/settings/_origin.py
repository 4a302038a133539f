"""Where a value came from."""

from __future__ import annotations

from sispat.kernel.labelled import Labelled

__all__ = ["Origin"]


class Origin(Labelled):
    """Weakest first."""

    DEFAULT = "padrão", "padrão"
    FILE = ".env", ".env"
    ENVIRONMENT = "ambiente", "ambiente"
    COMMAND_LINE = "linha de comando", "linha de comando"
