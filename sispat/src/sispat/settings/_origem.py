"""Where a value came from."""

from __future__ import annotations

from sispat.kernel.labelled import Labelled

__all__ = ["Origem"]


class Origem(Labelled):
    """Weakest first."""

    PADRAO = "padrão", "padrão"
    ARQUIVO = ".env", ".env"
    AMBIENTE = "ambiente", "ambiente"
    LINHA = "linha de comando", "linha de comando"
