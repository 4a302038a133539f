"""What a list asks for, and the conditions that say so in SQL.

Promises: a reader's setores are always among the conditions; values are always parameters; what people type
as words becomes lexemes of letters and digits only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

__all__ = ["RARE", "SORTS", "Query", "conditions"]

# Offered sorts: name -> (column, its type). `numero` breaks ties and is itself unique.
SORTS = {
    "numero": ("numero", "bigint"),
    "descricao": ("ordem", "text"),
    "valor": ("valor", "numeric"),
    "data_aquisicao": ("data_aquisicao", "date"),
}
FILTERS = ("setor_id", "local_id", "classe_id", "agente_id", "situacao", "conservacao")
RARE = frozenset({"local_id", "agente_id"})  # filters of many values, each of few assets


@dataclass(frozen=True, slots=True)
class Query:
    """What a list asks for. `setores` None = the whole city; `after` = the key to go on from: (sort
    value, numero). `whole`: with all fields.
    """

    setores: tuple[UUID, ...] | None
    q: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: str = "numero"
    descending: bool = False
    after: tuple[str, int] | None = None
    limit: int = 50
    whole: bool = False


def conditions(query: Query) -> tuple[list[str], list[Any]]:
    """The parts of WHERE over `patrimonio p`, to be joined by AND, and their values."""
    where: list[str] = []
    values: list[Any] = []
    # Where there are words, their index answers for these filters too, and here they only weed out chance hits.
    certain = " is true" if query.q else ""
    if query.setores is not None and "setor_id" not in query.filters:
        where.append(f"(p.setor_id = any(%s)){certain}")
        values.append(list(query.setores))
    elif query.setores is not None and query.filters["setor_id"] not in query.setores:
        where.append("false")
    for column, value in query.filters.items():
        if column not in FILTERS:
            raise KeyError(column)
        where.append(f"(p.{column} = %s){'' if column in RARE else certain}")
        values.append(value)
    if query.q:
        condition, found = _search(query.q, _facets(query))
        where.append(condition)
        values += found
    return where, values


def _facets(query: Query) -> list[str]:
    """The filters as the schema's function `facetas` writes them, for the index of words."""
    setores = [query.filters["setor_id"]] if "setor_id" in query.filters else query.setores
    lexemes = [] if not setores else [" | ".join(f"'s={str(setor)[:8]}'" for setor in setores)]
    if "classe_id" in query.filters:
        lexemes.append(f"'c={str(query.filters['classe_id'])[:8]}'")
    for sign, column in (("t", "situacao"), ("e", "conservacao")):
        if column in query.filters:
            value = re.sub("[^a-z_]", "", str(query.filters[column]))
            lexemes.append(f"'{sign}={value}'")
    return lexemes


_PREFIX = 3  # letters: the beginnings that are shorter match half of the city


def _search(q: str, facets: list[str]) -> tuple[str, list[Any]]:
    """A word of three letters or more may be the beginning of one; digits alone may also be the asset's number."""
    clean = unicodedata.normalize("NFKD", q.lower()).encode("ascii", "ignore").decode()
    words = re.findall("[a-z0-9]+", clean)
    if not words:
        return "false", []
    terms = [f"'{word}'" + (":*" if len(word) >= _PREFIX else "") for word in words]
    tsquery = " & ".join(f"({term})" for term in [*terms, *facets])
    if len(words) == 1 and words[0].isdigit() and len(words[0]) <= 18:
        return "(p.numero = %s or p.busca @@ %s::tsquery)", [int(words[0]), tsquery]
    return "p.busca @@ %s::tsquery", [tsquery]
