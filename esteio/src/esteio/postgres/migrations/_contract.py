"""What a migration takes away from the release before, which still runs beside the new one during a change.

Promises: judged by the text alone, without a server: a migration that only expands yields nothing. What the same text has
just made is its own to drop. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from esteio.postgres.migrations._hazards import takes_away
from esteio.postgres.migrations._statements import statements

__all__ = ["Contraction", "contractions"]


@dataclass(frozen=True, slots=True)
class Contraction:
    """`statement` takes something of `relation` away; `advice` says how it is done over two releases."""

    statement: str
    relation: str
    advice: str


def contractions(sql: str) -> list[Contraction]:
    """Of all statements of `sql`, in order."""
    found: list[Contraction] = []
    made: set[str] = set()
    for statement in statements(sql):
        words = statement.words
        if words[:2] == ("create", "table"):
            made.add(_first_name(words[2:]))
        text = " ".join(statement.text.split())
        hazards = [each for each in takes_away(statement) if each.relation not in made]
        found += [Contraction(text, each.relation, each.advice) for each in hazards]
    return found


def _first_name(words: tuple[str, ...]) -> str:
    if words[:3] == ("if", "not", "exists"):
        words = words[3:]
    end = 1
    while words[end : end + 1] == (".",):
        end += 2
    return "".join(words[:end])
