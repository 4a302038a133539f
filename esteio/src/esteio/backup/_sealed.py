"""JSON that notices when a byte of it was changed.

Promises: pure; `unseal` returns what `seal` was given, or raises ValueError. The seal is the field `seal`: the sha256
of the whole text with that field as 64 zeros. Other programs can ignore it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["seal", "unseal"]

_BLANK = '"seal": "' + "0" * 64 + '"'
_SEAL = re.compile(r'"seal": "([0-9a-f]{64})"(?=\n}\n\Z)')


def seal(content: Mapping[str, Any]) -> str:
    """`content` as text with its seal at the end."""
    text = json.dumps({**content, "seal": "0" * 64}, ensure_ascii=False, indent=1) + "\n"
    return text.replace(_BLANK, f'"seal": "{_digest(text)}"')


def unseal(text: str | bytes) -> dict[str, Any]:
    """What was sealed; ValueError when it is not exactly as it was."""
    text = text if isinstance(text, str) else text.decode()
    found = _SEAL.search(text)
    if found is None:
        msg = "it has no seal at its end"
        raise ValueError(msg)
    if _digest(_SEAL.sub(_BLANK, text)) != found[1]:
        msg = "its seal does not fit: it was changed after it was written"
        raise ValueError(msg)
    content: dict[str, Any] = json.loads(text)
    del content["seal"]
    return content


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
