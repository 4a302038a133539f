"""Where a value came from."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Origem"]


class Origem(StrEnum):
    """Weakest first."""

    PADRAO = "padrão"
    ARQUIVO = ".env"
    AMBIENTE = "ambiente"
    LINHA = "linha de comando"
