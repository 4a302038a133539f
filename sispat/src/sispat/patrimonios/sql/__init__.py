"""Assets in the database.

Promises: an asset leaves as the JSON document PostgreSQL built; API and pages show that same document. Every list
is filtered by the reader's setores and walked by key, never by offset.
"""

from __future__ import annotations

from sispat.patrimonios.sql.custody import Travado, passar_toda_a_carga, travar, trocar_cargas
from sispat.patrimonios.sql.listing import Row, contar, explain, listar
from sispat.patrimonios.sql.query import SORTS, Query
from sispat.patrimonios.sql.record import (
    bloquear,
    com_numero,
    criar,
    criar_juntos,
    ficha,
    garantias,
    gravar,
    liquidos,
    numeros,
)
from sispat.patrimonios.sql.totals import Parte, Total, dobrar_totais, partes, totais, totais_divergentes

__all__ = [
    "SORTS", "Parte", "Query", "Row", "Total", "Travado", "bloquear", "com_numero", "contar", "criar", "criar_juntos",
    "dobrar_totais", "explain", "ficha", "garantias", "gravar", "liquidos", "listar", "numeros", "partes",
    "passar_toda_a_carga", "totais", "totais_divergentes", "travar", "trocar_cargas",
]  # fmt: skip
