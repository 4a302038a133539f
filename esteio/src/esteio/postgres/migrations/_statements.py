"""A migration's SQL as statements and words, as far as judging it needs it.

Promises: a semicolon or a keyword inside a string, a quoted name, a dollar-quoted body, a comment or a function's
`BEGIN ATOMIC` body is never taken for one; text that does not end properly is one last statement. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from esteio.postgres._lexer import tokens

__all__ = ["Statement", "statements"]

_ROUTINES = {"function", "procedure"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its `text`, and its `words`: keywords in lower case, names as written, literals as `'`."""

    text: str
    words: tuple[str, ...]


def statements(sql: str) -> list[Statement]:
    """The statements of `sql`, in order; empty ones are left out."""
    found: list[Statement] = []
    words: list[str] = []
    begin, depth = 0, 0
    for word, at in _words(sql):
        if word == ";" and depth == 0:
            _append(found, sql[begin:at], words)
            begin, words = at + 1, []
            continue
        depth = _nesting(word, words, depth)
        words.append(word)
    _append(found, sql[begin:], words)
    return found


def _nesting(word: str, before: list[str], depth: int) -> int:
    """How deep `word` lies in a routine's BEGIN ATOMIC body, whose semicolons do not end the statement."""
    if depth == 0:
        atomic = word == "atomic" and before[-1:] == ["begin"] and bool(_ROUTINES.intersection(before[:5]))
        return int(atomic)
    return depth + (word in ("begin", "case")) - (word == "end")


def _append(found: list[Statement], text: str, words: list[str]) -> None:
    if words:
        found.append(Statement(text.strip(), tuple(words)))


def _words(sql: str) -> Iterator[tuple[str, int]]:
    for kind, begin, end in tokens(sql):
        if kind == "value":
            yield "'", begin
        elif kind != "blank":
            yield sql[begin:end].lower() if kind == "word" else sql[begin:end], begin
