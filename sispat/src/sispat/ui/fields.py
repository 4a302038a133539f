"""What a form asks, apart from how it looks.

Promises: a `FormField` knows how a stored value becomes the text of its input, how what was typed becomes what the
use cases read, and how either is shown to people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sispat.kernel import formats
from sispat.kernel.brazil import normal_cep
from sispat.ui.labels import FIELDS

__all__ = ["YES_NO", "Choice", "ChoiceGroup", "FormField", "Section", "by_name", "choices"]

Kind = Literal[
    "texto", "longo", "data", "moeda", "decimal", "inteiro", "codigo", "documento", "cep", "escolha", "radio"
]


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class ChoiceGroup:
    """Choices under one heading; no heading where it is empty."""

    label: str
    choices: tuple[Choice, ...]


def choices(pairs: Mapping[str, str]) -> tuple[ChoiceGroup, ...]:
    """Choices without groups."""
    return (ChoiceGroup("", tuple(Choice(value, label) for value, label in pairs.items())),)


YES_NO = choices({"true": "Sim", "false": "Não"})


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `pattern_hint` says in words what the pattern of the field allows.

    `button` is the label of a button beside it that sends the form as `_acao` = `name`, to be completed, not saved.
    """

    name: str
    kind: Kind = "texto"
    hint: str = ""
    optional: bool = False
    groups: tuple[ChoiceGroup, ...] = ()
    pattern_hint: str = ""
    width: Literal["", "curta", "media"] = ""
    own_label: str = ""
    button: str = ""

    @property
    def label(self) -> str:
        """What people read beside the field."""
        return self.own_label or FIELDS[self.name]

    def text(self, value: Any) -> str:
        """A stored value as the text of the input."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if self.kind == "moeda":
            return formats.money(value)
        if self.kind == "decimal":
            return formats.decimal(value)
        if self.kind == "documento":
            return formats.cpf_cnpj(value)
        if self.kind == "cep":
            return formats.cep(value)
        return str(value)

    def read(self, typed: str) -> str:
        """What was typed, in the form the use cases read."""
        text = typed.strip()
        if self.kind == "data" and (parts := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)):
            return f"{parts[3]}-{parts[2]:0>2}-{parts[1]:0>2}"
        if self.kind == "decimal":
            return text.replace(",", ".")
        if self.kind == "codigo":
            return text.upper()
        if self.kind == "cep":
            return normal_cep(text) or text
        return typed

    def shown(self, typed: str) -> str:
        """What was typed or stored, as people read it in a comparison."""
        if self.groups:
            found = self.choice(typed)
            return found.label if found else (typed or formats.EMPTY)
        return (formats.date(typed) if self.kind == "data" else typed) or formats.EMPTY

    def is_iso(self, value: str) -> bool:
        """Whether the browser's own date field can hold `value`; it would hide anything else."""
        return formats.date(value) != value

    def choice(self, value: str) -> Choice | None:
        """The choice with this value."""
        return next((choice for group in self.groups for choice in group.choices if choice.value == value), None)

    def error(self, message: str) -> str:
        """The sentence for a wrong value: a pattern is told in words."""
        return self.pattern_hint if self.pattern_hint and message.startswith("Formato não aceito") else message


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together."""

    title: str
    fields: tuple[FormField, ...]


def by_name(sections: Iterable[Section]) -> dict[str, FormField]:
    """All fields by name."""
    return {field.name: field for section in sections for field in section.fields}
