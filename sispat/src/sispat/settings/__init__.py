"""Typed configuration: every variable the service reads, checked before anything starts.

Promises: a value comes from the command line, the process environment, `.env` or the default, in this order, and
`Settings.origens` remembers which. All bad values are reported at once by `ConfiguracaoInvalida`, which never shows
a secret. A `SISPAT_` name nobody reads becomes a warning in `Settings.avisos`, with the nearest known name.
"""

from __future__ import annotations

from sispat.settings._erros import ConfiguracaoInvalida, Problema
from sispat.settings._fontes import Origem, carregar
from sispat.settings._modelo import Settings
from sispat.settings._tabela import Linha, em_vigor, reference_page, variaveis
from sispat.settings._valores import Cota

__all__ = [
    "ConfiguracaoInvalida",
    "Cota",
    "Linha",
    "Origem",
    "Problema",
    "Settings",
    "carregar",
    "em_vigor",
    "reference_page",
    "variaveis",
]
