"""SQL text as tokens, as far as hiding its values and cutting it into statements needs it.

Promises: every character belongs to one token, and what is inside a string, a quoted name, a dollar-quoted body or a
comment (comments nest) is never taken for something else. What does not end is a value until the end of the text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

__all__ = ["Token", "tokens"]

Kind = Literal["blank", "value", "number", "placeholder", "name", "word", "other"]
"""`value` is a literal of text or bytes; `name` is quoted; `blank` is white space and comments."""

_TOKEN = re.compile(
    r"""
      (?P<blank> (?: \s | --[^\n]* )+ )
    | (?P<comment> /\* )
    | (?P<value>
          \$(?P<tag>[^\W\d]\w*|)\$ .*? (?:\$(?P=tag)\$|\Z)
        | [eE]' (?: [^'\\] | \\. | '' )* (?:'|\Z)
        | (?:[bBnNxX]|[uU]&)? ' (?: [^'] | '' )* (?:'|\Z)
      )
    | (?P<placeholder> %\([^)]*\)[sbt] | %[sbt] | \$\d+ )
    | (?P<number> \.?\d[\w.]*(?:(?<=[eE])[+-]\d+)? )
    | (?P<name> "(?:[^"]|"")*" )
    | (?P<unended> ".*\Z )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")
_KINDS: dict[str, Kind] = {
    "comment": "blank", "unended": "value", "blank": "blank", "value": "value", "placeholder": "placeholder",
    "number": "number", "name": "name", "word": "word", "other": "other",
}  # fmt: skip


class Token(NamedTuple):
    """A piece of the text: what it is, and where it begins and ends."""

    kind: Kind
    begin: int
    end: int


def tokens(sql: str) -> Iterator[Token]:
    """The tokens of `sql`, in order, without a gap between them."""
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None, "every character is a token"
        # Python names the last group that closed, and that is the whole alternative's.
        group = match.lastgroup
        assert group is not None
        end = _end_of_comment(sql, at) if group == "comment" else match.end()
        yield Token(_KINDS[group], at, end)
        at = end


def _end_of_comment(sql: str, at: int) -> int:
    depth = 0
    for match in _COMMENT.finditer(sql, at):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(sql)
