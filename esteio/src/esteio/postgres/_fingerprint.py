"""What a statement looks like without its values.

Promises: two statements that differ only in literals, placeholders, comments, white space, or the length of
a list have the same text here, and nothing of a literal is left in it, even when it is not terminated. It
reads no grammar: what is not a literal stays as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

from esteio.postgres._lexer import tokens

__all__ = ["fingerprint", "normalised"]

_READ = 10_000  # characters of a statement that count
_SHOWN = 500  # characters of the normalised text that are kept

_HIDDEN = {"value", "number", "placeholder"}
_LIST = re.compile(r"\?(?: ?, ?\?)+")
_ALONE = re.compile(r"\b(in|values) ?\( ?\? ?\)", re.IGNORECASE)
_ROWS = re.compile(r"(\([^()]*\))(?: ?, ?\1)+")


def normalised(sql: str) -> str:
    """`sql` with `?` for each literal and placeholder, `?, ...` for a list of them, at most 500 characters."""
    text = "".join(_shown(sql[:_READ])).strip()
    text = _LIST.sub("?, ...", text)
    text = _ALONE.sub(r"\1 (?, ...)", text)
    text = _ROWS.sub(r"\1, ...", text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def fingerprint(text: str) -> str:
    """Sixteen hexadecimal digits for a normalised text, the same in every process."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _shown(sql: str) -> Iterator[str]:
    blank = False
    for kind, begin, end in tokens(sql):
        if kind != "blank":
            yield "?" if kind in _HIDDEN else sql[begin:end]
        elif not blank:  # white space beside a comment is one blank
            yield " "
        blank = kind == "blank"
