"""Names of files as people may see them again.

Promises: a name is one line of visible characters without a path, ends as its content is called, and is never empty. Nothing
on the disk is ever called by it.
"""

from __future__ import annotations

import re
import unicodedata

from sispat.kernel.files._formats import Format

__all__ = ["LONGEST", "as_named", "visible"]

LONGEST = 120  # characters
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, bidi, surrogates, unassigned
_RESERVED = re.compile(r'[<>:"|?*%]')  # what file systems and command lines of those who download it take amiss


def visible(sent: str) -> str:
    """What a client calls a file, without path and invisible characters; may be empty."""
    last = re.split(r"[/\\]", sent)[-1]
    shown = "".join("" if unicodedata.category(c) in _INVISIBLE else c for c in last)
    text = " ".join(unicodedata.normalize("NFC", _RESERVED.sub("_", shown)).split()).strip(". ")
    if len(text) <= LONGEST:
        return text
    stem, dot, extension = text.rpartition(".")
    short = len(extension) <= 8 and dot
    return f"{stem[: LONGEST - len(extension) - 1]}.{extension}" if short else text[:LONGEST]


def as_named(shown: str, format_: Format) -> str:
    """`shown`, ending as `format_` is called: what says it is a program and is a picture is called a picture."""
    if shown.lower().endswith(format_.extensions):
        return shown
    stem = shown
    for extension in _KNOWN:
        if shown.lower().endswith(extension):
            stem = shown[: -len(extension)]
    return f"{stem.strip('. ')[: LONGEST - 5] or 'documento'}.{format_}"


_KNOWN = tuple(extension for each in Format for extension in each.extensions)
