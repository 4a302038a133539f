"""Parts of the order of a list, as conditions of SQL: what lies from one key of a sort to another.

Promises: `within` and `at_ends` together hold for each asset from `low` to `high`, and for few others: of the parts that the
keys themselves lie in. The limits of parts are the schema's (`limites_de_valor`, `limites_de_ordem`), written there alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sispat.patrimonios.sql.query import SORTS

__all__ = ["SORTS_WITH_PARTS", "Condition", "Key", "at_ends", "within"]

Key = tuple[str, int]
"""A place in an order: the value that is sorted by, as text, and the number."""


class Condition(NamedTuple):
    """A condition over `patrimonio p`, and the values of its parameters."""

    sql: str
    values: list[Any]


class _Parts(NamedTuple):
    """What the schema calls the parts of a sort: the lexemes' first letter, the functions' last word; outermost values."""

    sign: str
    name: str
    lowest: str
    highest: str


_PARTS = {
    "descricao": _Parts("o", "ordem", "''", "chr(1114111)"),
    "valor": _Parts("v", "valor", "0", "'infinity'"),
}
SORTS_WITH_PARTS = frozenset(_PARTS)


def within(sort: str, low: Key | None, high: Key | None) -> Condition:
    """That an asset lies in a part strictly between those of `low` and `high`; None: from the first, to the last part."""
    sign, name, *_ = _PARTS[sort]
    type_ = SORTS[sort][1]
    first = "0" if low is None else f"faixa_de_{name}(%s::{type_}) + 1"
    last = f"array_length(limites_de_{name}(), 1)" if high is None else f"faixa_de_{name}(%s::{type_}) - 1"
    values = [end[0] for end in (low, high) if end is not None]
    # The first comparison is one of constants: where no part lies between, no index is asked.
    sql = f"({first} <= {last} and faixas(p.valor, p.ordem) @@ faixas_entre('{sign}', {first}, {last}))"
    return Condition(sql, values * 2)


def at_ends(sort: str, low: Key | None, high: Key | None) -> Condition:
    """That an asset lies in the part of `low` from it on, or in the part of `high` up to it."""
    _, name, lowest, highest = _PARTS[sort]
    column, type_ = SORTS[sort]
    ends: list[Condition] = []
    for key, compare, beyond, part, outermost in ((low, ">=", "<", "+ 1", highest), (high, "<=", ">=", "", lowest)):
        if key is not None:
            limit = f"coalesce((limites_de_{name}())[faixa_de_{name}(%s::{type_}) {part}], {outermost})"
            # Pairs are compared to read no more than needed, the value alone because the planner guesses nothing of pairs.
            pair = f"(p.{column}, p.numero) {compare} (%s::{type_}, %s) and p.{column} {compare} %s::{type_}"
            ends.append(Condition(f"({pair} and p.{column} {beyond} {limit})", [*key, key[0], key[0]]))
    return Condition(f"({' or '.join(end.sql for end in ends)})", [value for end in ends for value in end.values])
