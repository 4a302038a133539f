"""Assets in the database.

Promises: an asset leaves as the JSON document PostgreSQL built; API and pages show that same document. Every list
is filtered by the reader's setores and walked by key, never by offset.
"""

from __future__ import annotations

from sispat.patrimonios.sql.listing import Row, contar, explain, listar, percorrer
from sispat.patrimonios.sql.query import SORTS, Query
from sispat.patrimonios.sql.record import bloquear, com_numero, criar, ficha, gravar
from sispat.patrimonios.sql.totals import Total, dobrar_totais, totais, totais_divergentes

__all__ = [
    "SORTS", "Query", "Row", "Total", "bloquear", "com_numero", "contar", "criar", "dobrar_totais", "explain", "ficha",
    "gravar", "listar", "percorrer", "totais", "totais_divergentes",
]  # fmt: skip
