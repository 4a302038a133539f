"""Assets in the database.

Promises: an asset leaves as the JSON document PostgreSQL built; API and pages show that same document. Every list
is filtered by the reader's setores and walked by key, never by offset.
"""

from __future__ import annotations

from sispat.store.patrimonios._consulta import ORDENS, Consulta
from sispat.store.patrimonios._lista import Linha, contar, explicar, listar, percorrer
from sispat.store.patrimonios._registro import CAMPOS, bloquear, criar, ficha, gravar

__all__ = [
    "CAMPOS",
    "ORDENS",
    "Consulta",
    "Linha",
    "bloquear",
    "contar",
    "criar",
    "explicar",
    "ficha",
    "gravar",
    "listar",
    "percorrer",
]
