"""What a list asks for, and the conditions that say so in SQL.

Promises: a reader's setores are always among the conditions; values are always parameters; what people type
as words becomes lexemes of letters and digits only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sispat.kernel.words import joined, plate_typed, term, words_of

__all__ = ["RARE", "SORTS", "Query", "conditions", "looks_at_codes"]

# Offered sorts: name -> (column, its type). `numero` breaks ties and is itself unique.
SORTS = {
    "numero": ("numero", "bigint"),
    "descricao": ("ordem", "text"),
    "valor": ("valor", "numeric"),
    "data_aquisicao": ("data_aquisicao", "date"),
}
# What a list is narrowed by: column -> how it is compared.
FILTERS = {
    "setor_id": "= %s", "local_id": "= %s", "classe_id": "= %s", "agente_id": "= %s", "situacao": "= %s",
    "conservacao": "= %s", "numero": "= %s", "atualizado_em": ">= %s",
    "id": "in (select patrimonio_id from importacao_item where importacao_id = %s)",
}  # fmt: skip
RARE = frozenset({"local_id", "agente_id", "atualizado_em", "id"})  # filters of many values, each of few assets


@dataclass(frozen=True, slots=True)
class Query:
    """What a list asks for. `setores` None = the whole city; `after` = the key to go on from: (sort
    value, numero). `whole`: with all fields. `agentes`: those whom `q` may mean, whose assets match too. `cpf_hidden`: a
    supplier's CPF is found by the whole of it only.
    """

    setores: tuple[UUID, ...] | None
    q: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: str = "numero"
    descending: bool = False
    after: tuple[str, int] | None = None
    limit: int = 50
    whole: bool = False
    agentes: tuple[UUID, ...] = ()
    cpf_hidden: bool = False


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
        where.append(f"(p.{column} {FILTERS[column]}){'' if column in RARE else certain}")
        values.append(value)
    if query.q:
        condition, found = _search(query, _facets(query))
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


# Codes are looked for where they were typed, with or without their separators; the index is the schema's.
_CODES = "codigos(p.nota_fiscal, p.empenho, p.licitacao, p.fornecedor_doc, p.numero_serie) @@ %s::tsquery"
# Of what the index found: whoever may not see a CPF would else read it figure by figure, by its beginnings.
_CODES_BUT_CPF = f"""({_CODES} and (length(p.fornecedor_doc) is distinct from 11 or p.fornecedor_doc = %s
    or codigos(p.nota_fiscal, p.empenho, p.licitacao, null, p.numero_serie) @@ %s::tsquery))"""


def looks_at_codes(query: Query) -> bool:
    """Whether `query` may mean a code: codes have figures, and most searches none."""
    return any(letter.isdigit() for letter in joined(query.q))


def _search(query: Query, facets: list[str]) -> tuple[str, list[Any]]:
    """The words of what describes the asset; or its number, a code it was bought by, or an agente of these words."""
    words = words_of(query.q)
    if not words:
        return "false", []
    ways: list[tuple[str, list[Any]]] = []
    if (number := plate_typed(query.q)) is not None:
        ways.append(("p.numero = %s", [number]))
    ways.append(("p.busca @@ %s::tsquery", [" & ".join(f"({part})" for part in [*map(term, words), *facets])]))
    if looks_at_codes(query):
        whole = joined(query.q)
        codes = f"({' & '.join(f'({term(word)})' for word in words)}) | {term(whole)}"
        ways.append((_CODES_BUT_CPF, [codes, whole, codes]) if query.cpf_hidden else (_CODES, [codes]))
    if query.agentes:
        ways.append(("p.agente_id = any(%s)", [list(query.agentes)]))
    return f"({' or '.join(sql for sql, _ in ways)})", [value for _, values in ways for value in values]
