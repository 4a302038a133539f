"""SQL text as statements and words, as far as judging a migration needs it.

Promises: a semicolon or a keyword inside a string, a quoted name, a dollar-quoted body, a comment or a function's
`BEGIN ATOMIC` body is never taken for one; text that does not end properly is one last statement. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Statement", "statements"]

_TOKEN = re.compile(
    r"(?P<space>\s+|--[^\n]*)"
    r"|(?P<comment>/\*)"
    r"|(?P<body>\$(?P<tag>(?:[A-Za-z_\x80-\uffff][\w]*)?)\$.*?(?:\$(?P=tag)\$|\Z))"
    r"|(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))"
    r"|(?P<string>'(?:[^']|'')*(?:'|\Z))"
    r'|(?P<name>"(?:[^"]|"")*(?:"|\Z))'
    r"|(?P<word>[A-Za-z_\x80-\uffff][\w$]*)"
    r"|(?P<number>\d[\d.]*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_LITERALS = {"body", "escaped", "string"}
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
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None, "every character is a token"
        kind, text, begin = match.lastgroup, match[0], at
        at = _end_of_comment(sql, at) if match["comment"] else match.end()
        if match["comment"] or match["space"]:
            continue
        if match["body"] or kind in _LITERALS:
            yield "'", begin
        else:
            yield text.lower() if match["word"] else text, begin


def _end_of_comment(sql: str, at: int) -> int:
    """Where the comment that begins at `at` ends; comments nest."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(sql)
