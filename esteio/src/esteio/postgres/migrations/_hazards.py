"""What a statement would do to a table that others are using, as far as its text tells.

Promises: names statements that rewrite a table, read all of it or build an index under a lock, or take away what
running programs still use; where only the catalog can tell whether they do, the hazard carries the question. What a
text cannot tell (a DO block, a function, a domain's constraint) is left to `_guard`, which looks at the server. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from esteio.postgres.migrations._statements import Statement

__all__ = ["Hazard", "changes_definition", "hazards", "index_built_beside", "runs_alone", "takes_away"]

_Question = Literal["", "volatile function", "not null", "type"]
_Words = tuple[str, ...]

_REWRITE = "would be rewritten while nobody can read it"
_SCAN = "would be read from end to end while locked"
_INDEX = "could not be written to while an index is built"
_GONE = "would lose what running programs may still use"
_EXPAND = "add a column, fill it in batches, switch the programs over, then drop the old one"
_NOT_VALID = "add the constraint as NOT VALID, then VALIDATE CONSTRAINT in a migration of its own"
_USING_INDEX = "build the index with CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT ... USING INDEX"
_TWO_RELEASES = "drop or rename it one release after the last program that uses it"
_LOCKING = {"alter", "drop", "truncate", "lock", "cluster", "reindex", "refresh", "do", "call"}
_LOCKING_CREATIONS = {"index", "trigger", "rule", "policy", "constraint"}
_ENDS_OF_DEFAULT = {"not", "null", "check", "unique", "primary", "references", "constraint", "generated", "collate"}


@dataclass(frozen=True, slots=True)
class Hazard:
    """`relation` (a table, or an index of one) `problem`; only if the catalog answers `question` about `subject` so."""

    relation: str
    problem: str
    advice: str
    question: _Question = ""
    subject: tuple[str, ...] = ()


def hazards(statement: Statement) -> list[Hazard]:
    """The hazards of one statement, the gravest of each of its actions."""
    words = statement.words
    if words[:2] == ("alter", "table"):
        return list(_alter_table(words[2:]))
    if words[:2] == ("create", "index") or words[:3] == ("create", "unique", "index"):
        return list(_create_index(words))
    return list(_whole_statement(words))


def takes_away(statement: Statement) -> list[Hazard]:
    """Those of `hazards` after which the programs of the release before can no longer run beside the new ones.

    A column that becomes NOT NULL is one of them: they may still write rows without it. Of what a statement does only in the
    server's catalog (a trigger, a narrower CHECK) nothing is known here.
    """
    return [each for each in hazards(statement) if each.problem == _GONE or each.question == "not null"]


def runs_alone(statement: Statement) -> bool:
    """Whether PostgreSQL refuses it within a transaction."""
    words = statement.words
    concurrent = "concurrently" in words and words[0] in ("create", "drop", "reindex", "alter")
    return concurrent or words[0] == "vacuum" or words[:2] in (("alter", "system"), ("create", "database"))


def changes_definition(statement: Statement) -> bool:
    """Whether it may lock a table that others use, and so has to be brief."""
    words = statement.words
    if "concurrently" in words and runs_alone(statement):
        return False
    if words[0] == "create":
        return bool(_LOCKING_CREATIONS.intersection(words[1:4]))
    return words[0] in _LOCKING or (words[0] == "vacuum" and "full" in words)


def index_built_beside(statement: Statement) -> str:
    """The name of the index that a CREATE INDEX CONCURRENTLY builds; empty for everything else."""
    words = statement.words
    if words[0] != "create" or "concurrently" not in words[:4]:
        return ""
    rest = _without(words[words.index("concurrently") + 1 :], "if", "not", "exists")
    return "" if rest[:1] == ("on",) else _name(rest)[0]


def _create_index(words: _Words) -> Iterator[Hazard]:
    if "concurrently" in words or "on" not in words:
        return
    table, _ = _name(_without(words[words.index("on") + 1 :], "only"))
    yield Hazard(table, _INDEX, "use CREATE INDEX CONCURRENTLY in a migration of its own")


def _whole_statement(words: _Words) -> Iterator[Hazard]:
    kind = words[0]
    if words[:2] == ("drop", "table"):
        yield from _each(_without(words[2:], "if", "exists"), _GONE, _TWO_RELEASES)
    elif kind == "truncate":
        yield from _each(_without(words[1:], "table"), _GONE, "delete the rows in batches")
    elif kind == "lock":
        advice = "leave the locks to the statements that need them"
        yield from _each(_without(words[1:], "table"), "would be locked", advice)
    else:
        yield from _maintenance(kind, words[1:])


def _each(words: _Words, problem: str, advice: str) -> Iterator[Hazard]:
    for item in _items(words):
        yield Hazard(_name(_without(item, "only"))[0], problem, advice)


def _maintenance(kind: str, words: _Words) -> Iterator[Hazard]:
    if kind == "cluster" and words:
        yield Hazard(_name(_after_options(words))[0], _REWRITE, "use pg_repack, or leave it")
    elif kind == "vacuum" and "full" in words:
        yield Hazard(_name(_after_options(words))[0], _REWRITE, "use plain VACUUM, or pg_repack")
    elif kind == "reindex" and "concurrently" not in words:
        yield Hazard(_name(_after_options(words)[1:])[0], _INDEX, "use REINDEX ... CONCURRENTLY")
    elif kind == "refresh" and "concurrently" not in words:
        yield Hazard(_name(words[2:])[0], _REWRITE, "use REFRESH MATERIALIZED VIEW CONCURRENTLY")


def _alter_table(words: _Words) -> Iterator[Hazard]:
    table, rest = _name(_without(_without(words, "if", "exists"), "only"))
    for action in _items(rest):
        hazard = _action(table, action)
        if hazard is not None:
            yield hazard


def _action(table: str, words: _Words) -> Hazard | None:
    kind = words[0]
    if kind == "add":
        return _add(table, words[1:])
    if kind == "alter" and len(words) > 1:
        return _alter_column(table, *_name(_without(words[1:], "column")))
    if kind == "drop" and words[1:2] != ("constraint",):
        return Hazard(table, _GONE, _TWO_RELEASES)
    if kind == "rename" and words[1:2] != ("constraint",):
        return Hazard(table, _GONE, _TWO_RELEASES)
    if kind == "set" and words[1:2] == ("schema",):
        return Hazard(table, _GONE, _TWO_RELEASES)
    if kind == "set" and words[1:2] and words[1] in ("tablespace", "logged", "unlogged", "access"):
        return Hazard(table, _REWRITE, "make a new table, copy in batches, switch the programs over")
    return None


def _add(table: str, words: _Words) -> Hazard | None:
    if words[:1] == ("constraint",):
        words = _name(words[1:])[1]
        return _add_constraint(table, words)
    if words[:1] and words[0] in ("check", "foreign", "unique", "primary", "exclude") and words[1:2] != ():
        return _add_constraint(table, words)
    return _add_column(table, _name(_without(_without(words, "column"), "if", "not", "exists"))[1])


def _add_constraint(table: str, words: _Words) -> Hazard | None:
    kind = words[0] if words else ""
    if kind in ("unique", "primary"):
        return None if "using" in words and "index" in words else Hazard(table, _INDEX, _USING_INDEX)
    if kind == "exclude":
        return Hazard(table, _INDEX, "there is no online way to add an exclusion constraint")
    unchecked = any(words[at : at + 2] == ("not", "valid") for at in range(len(words)))
    return None if unchecked else Hazard(table, _SCAN, _NOT_VALID)


def _add_column(table: str, words: _Words) -> Hazard | None:
    """`words` follow the column's name."""
    top = _outside(words)
    if any(word in ("serial", "bigserial", "smallserial", "serial4", "serial8", "serial2") for word in top[:1]):
        return Hazard(table, _REWRITE, "add the column without a default, set the default, fill it in batches")
    if "generated" in top and "virtual" not in top and ("stored" in top or "identity" in top):
        return Hazard(table, _REWRITE, "add a plain column, fill it in batches, keep it with a trigger or a default")
    if "unique" in top or "primary" in top:
        return Hazard(table, _INDEX, _USING_INDEX)
    if "check" in top:
        return Hazard(table, _SCAN, f"add the column alone; then {_NOT_VALID}")
    if "default" not in top:
        return None
    if "references" in top:
        return Hazard(table, _SCAN, f"add the column alone; then {_NOT_VALID}")
    called = _called(words[words.index("default") + 1 :])
    advice = "add the column without a default, set the default in a second statement, fill it in batches"
    return Hazard(table, _REWRITE, advice, "volatile function", called) if called else None


def _alter_column(table: str, column: str, words: _Words) -> Hazard | None:
    if words[:3] == ("set", "not", "null"):
        advice = f"add CHECK ({column} IS NOT NULL) NOT VALID and validate it first"
        return Hazard(table, _SCAN, advice, "not null", (column,))
    for form in (("type",), ("set", "data", "type")):
        if words[: len(form)] == form:
            return Hazard(table, _REWRITE, _EXPAND, "type", (column, " ".join(words[len(form) :])))
    if words[:2] == ("set", "expression"):
        return Hazard(table, _REWRITE, _EXPAND)
    return None


def _called(words: _Words) -> tuple[str, ...]:
    """The functions a default calls, by their last name."""
    found = []
    depth = 0
    for at, word in enumerate(words):
        if depth == 0 and word in _ENDS_OF_DEFAULT:
            break
        depth += (word == "(") - (word == ")")
        if words[at + 1 : at + 2] == ("(",) and (word[0].isalpha() or word[0] in '_"'):
            found.append(_plain(word))
    return tuple(dict.fromkeys(found))


# Words


def _name(words: _Words) -> tuple[str, _Words]:
    """A possibly qualified name at the beginning of `words`, and what follows it."""
    if not words:
        return "", ()
    end = 1
    while words[end : end + 1] == (".",) and len(words) > end + 1:
        end += 2
    return "".join(words[:end]), words[end + 1 if words[end : end + 1] == ("*",) else end :]


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _without(words: _Words, *leading: str) -> _Words:
    return words[len(leading) :] if words[: len(leading)] == leading else words


def _after_options(words: _Words) -> _Words:
    """`words` after `(VERBOSE, ...)` or the older options without parentheses."""
    if words[:1] == ("(",) and ")" in words:
        words = words[words.index(")") + 1 :]
    while words and words[0] in ("full", "freeze", "verbose", "analyze"):
        words = words[1:]
    return words


def _items(words: _Words) -> Iterator[_Words]:
    """`words` between the commas outside of parentheses."""
    begin, depth = 0, 0
    for at, word in enumerate(words):
        depth += (word in "([") - (word in ")]")
        if word == "," and depth == 0:
            yield words[begin:at]
            begin = at + 1
    if words[begin:]:
        yield words[begin:]


def _outside(words: _Words) -> list[str]:
    """The words outside of parentheses."""
    found, depth = [], 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word != ")":
            found.append(word)
    return found
