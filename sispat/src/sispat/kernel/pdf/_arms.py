"""What stands at the head of papers: the city's name and its coat of arms, which is a file that the settings name.

Promises: an SVG, PNG or JPEG, by its content and not by its name, of at most 1 MiB; what is none of these, or cannot be read,
is logged, and papers are made without it.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Arms", "letterhead", "read_arms"]

Format = Literal["svg", "png", "jpg"]

_MOST = 1024 * 1024  # bytes; the table papel_brasao takes no more

_logger = logging.getLogger("sispat.pdf")


@dataclass(frozen=True, slots=True)
class Arms:
    """A picture."""

    format: Format
    content: bytes

    @property
    def sha256(self) -> bytes:
        """What it is known by."""
        return hashlib.sha256(self.content).digest()


def letterhead(name: str, arms: Arms | None) -> dict[str, Any]:
    """A city as `papel.typ` reads it: an SVG as its text, other pictures as numbers, because JSON has no bytes."""
    if arms is None:
        return {"nome": name, "brasao": None}
    content = arms.content.decode("utf-8", "replace") if arms.format == "svg" else list(arms.content)
    return {"nome": name, "brasao": {"formato": arms.format, "conteudo": content}}


def read_arms(path: Path | None) -> Arms | None:
    """The coat of arms in the file `path`; None without one. Reads the disk: not on the event loop."""
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        _logger.error("o brasão %s não pode ser lido: %s", path, error.strerror)
        return None
    format_ = _format(content)
    if format_ is None or len(content) > _MOST:
        _logger.error("o brasão %s não é um SVG, PNG ou JPEG de até 1 MB", path)
        return None
    return Arms(format_, content)


def _format(content: bytes) -> Format | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    return "svg" if b"<svg" in content[:1000] else None
