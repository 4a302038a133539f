"""Words with the label that people read, in their language."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from sispat.kernel.i18n import _, lazy

__all__ = ["Labelled"]


class Labelled(StrEnum):
    """A value that programs and the database know, and its label: `EM_USO = "em_uso", "Em uso"`."""

    source: str

    def __new__(cls, value: str, label: str = "") -> Self:
        """A member equal to `value`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.source = label
        return member

    @property
    def label(self) -> str:
        """The label, now."""
        return _(self.source)

    @classmethod
    def labels(cls) -> dict[str, str]:
        """Value -> label, in order."""
        return {member.value: lazy(member.source) for member in cls}
