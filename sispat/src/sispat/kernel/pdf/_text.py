"""Which characters the papers' fonts can draw. Pure.

Promises: what `drawable` returns can be drawn by the fonts that come with Typst (Libertinus Serif, New Computer Modern, DejaVu
Sans Mono), which PDF/A demands of every character: Typst refuses a document with one that cannot (a test draws them all).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

__all__ = ["drawable"]

_MISSING = "\ufffd"  # what is shown in the place of a character that no font has

# Latin with all its accents, Greek, Cyrillic, punctuation, currencies, fractions, arrows and signs of mathematics.
_UNKNOWN = re.compile(
    "[^\t\n -~\xa0-\xac\xae-\u0377\u0384-\u038a\u038e-\u03a1\u03a3-\u04ff\u1e00-\u1eff\u2010-\u2027\u2030-\u2040"
    "\u2074-\u208e\u20a0-\u20c0\u2100-\u211e\u2153-\u2184\u2190-\u22ff\ufffd]"
)


def drawable(value: Any) -> Any:
    """`value`, as JSON has it, with what no font has replaced in all its texts."""
    if isinstance(value, str):
        return _UNKNOWN.sub(_MISSING, unicodedata.normalize("NFC", value))
    if isinstance(value, dict):
        return {key: drawable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [drawable(each) for each in value]
    return value
