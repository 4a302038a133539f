"""Words with the label that people read."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

__all__ = ["Labelled"]


class Labelled(StrEnum):
    """A value that programs and the database know, and its label: `EM_USO = "em_uso", "Em uso"`."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        """A member equal to `value`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    @classmethod
    def labels(cls) -> dict[str, str]:
        """Value -> label, in order."""
        return {member.value: member.label for member in cls}
