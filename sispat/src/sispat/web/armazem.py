"""Where the limits are counted, and what a setting means as a limit."""

from __future__ import annotations

from esteio.limit import AsyncStore, Limit, MemoryStore, Store
from sispat.settings import Cota, Settings

__all__ = ["armazem", "limite"]


def armazem(settings: Settings) -> Store | AsyncStore:
    """The memory of this process."""
    del settings
    return MemoryStore()


def limite(nome: str, cota: Cota) -> Limit:
    """`cota` as a limit; while Redis is away each process keeps to its part."""
    return Limit(cota.quantos, cota.segundos, name=nome, on_failure="local")
