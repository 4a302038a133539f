"""What a form asks, apart from how it looks.

Promises: a `FormField` knows how a stored value becomes the text of its input, how what was typed becomes what the
use cases read, and how either is shown to people.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sispat.kernel import formats
from sispat.kernel.brazil import normal_cep
from sispat.kernel.dates import read_date
from sispat.kernel.fields import FieldSpec
from sispat.kernel.i18n import _, language
from sispat.kernel.inputs import NOT_PLAIN, PATTERN, FieldMessage, Kind

__all__ = [
    "Choice", "ChoiceGroup", "FormField", "Section", "brazilian_number", "by_name", "choices", "in_sections", "stored_texts",
    "typed",
]  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `pattern_hint` says in words what the pattern of the field allows.

    `button` is the label of a button beside it that sends the form as `_acao` = `name`, to be completed, not saved.
    `search` is where more choices than `groups` holds are found by typing; empty where there are no more. `typed` is what
    was searched for, `finding` what came of it, in words, `chosen` the value it leads to instead of the present one. Of files,
    `accept` says which are offered, and `capture` that a phone opens its camera.
    """

    name: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    optional: bool = False
    groups: tuple[ChoiceGroup, ...] = ()
    pattern_hint: str = ""
    width: Literal["", "curta", "media"] = ""
    button: str = ""
    section: str = ""
    default: str = ""
    search: str = ""
    typed: str = ""
    finding: str = ""
    chosen: str | None = None
    accept: str = ""
    capture: bool = False

    @classmethod
    def of(cls, spec: FieldSpec) -> FormField:
        """A line of a table of fields, without the choices that have to be looked up."""
        ui = spec.ui
        made = cls(
            spec.name, ui.label, spec.kind, ui.hint, spec.optional, choices(spec.choices) if spec.choices else (),
            ui.pattern_hint, ui.width, ui.button, ui.section,
        )  # fmt: skip
        return made if spec.required else replace(made, default=made.text(spec.default))

    def text(self, value: Any) -> str:
        """A stored value as the text of the input."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list | tuple):
            return "\n".join(value)
        if self.kind == "money":
            return formats.money(value)
        if self.kind == "decimal":
            return formats.decimal(value)
        shown = {"cpf_cnpj": formats.cpf_cnpj, "cep": formats.cep, "month": _typed_month}.get(self.kind, str)
        return shown(value)

    def read(self, typed: str) -> str:
        """What was typed, in the form the use cases read."""
        text = typed.strip()
        if self.kind == "date":
            return read_date(text)
        if self.kind in ("money", "decimal"):
            return _plain_number(text)
        if self.kind == "code":
            return text.upper()
        if self.kind == "cep":
            return normal_cep(text) or text
        return typed

    def shown(self, typed: str) -> str:
        """What was typed or stored, as people read it in a comparison."""
        if self.groups:
            found = self.choice(typed)
            return found.label if found else (typed or formats.EMPTY)
        return (formats.date(typed) if self.kind == "date" else typed) or formats.EMPTY

    def is_iso(self, value: str) -> bool:
        """Whether the browser's own date field can hold `value`; it would hide anything else."""
        return formats.date(value) != value

    def choice(self, value: str) -> Choice | None:
        """The choice with this value."""
        return next((choice for group in self.groups for choice in group.choices if choice.value == value), None)

    def error(self, message: str) -> str:
        """The sentence for a wrong value: a pattern is told in words, a number as people write it here."""
        rule = message.rule if isinstance(message, FieldMessage) else ""
        if rule == NOT_PLAIN:
            in_reais = self.kind == "money"
            return (
                _("Informe um valor em reais, como 1.234,56.") if in_reais else _("Informe um número, como 1.234,56.")
            )
        return str(self.pattern_hint) if self.pattern_hint and rule == PATTERN else message


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together."""

    title: str
    fields: tuple[FormField, ...]


def _typed_month(value: object) -> str:
    """As it is typed in either language: 10/2026."""
    day = dt.date.fromisoformat(str(value))
    return f"{day:%m/%Y}"


_ENGLISH_NUMBER = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?", re.ASCII)


def _plain_number(text: str) -> str:
    """`1.234,56` and `R$ 1.234` as programs write them; without a comma, dots before three digits are thousands.

    In English `1,234.56`, and nothing else: an amount in the other notation, from a form that was shown before the person
    changed the language, is refused as it is, never read as another amount.
    """
    bare = re.sub(r"R\$|\s", "", text)
    if language() == "en":
        return bare.replace(",", "") if _ENGLISH_NUMBER.fullmatch(bare) else text
    return brazilian_number(bare)


def brazilian_number(text: str) -> str:
    """`1.234,56` and `R$ 1.234` as programs write them, whatever the language of who reads; anything else as it is."""
    bare = re.sub(r"R\$|\s", "", text)
    if "," in bare or re.fullmatch(r"\d{1,3}(\.\d{3})+", bare):
        return bare.replace(".", "").replace(",", ".")
    return bare


def by_name(sections: Iterable[Section]) -> dict[str, FormField]:
    """All fields by name."""
    return {field.name: field for section in sections for field in section.fields}


def in_sections(fields: Iterable[FormField], order: Sequence[str]) -> tuple[Section, ...]:
    """`fields` under their headings, those in `order`."""
    parts: dict[str, list[FormField]] = {title: [] for title in order}
    for field in fields:
        parts[field.section].append(field)
    return tuple(Section(title, tuple(part)) for title, part in parts.items() if part)


def typed(fields: Iterable[FormField], values: Mapping[str, str]) -> dict[str, Any]:
    """What was typed into `fields`, as the use cases read it; what the form did not send is left out."""
    return {field.name: field.read(values[field.name]) for field in fields if field.name in values}


def stored_texts(specs: Iterable[FieldSpec], stored: Mapping[str, Any]) -> dict[str, str]:
    """A stored document as texts of the inputs of these fields; a record that it refers to by its key."""
    texts = {}
    for spec in specs:
        value = stored[spec.member]
        texts[spec.name] = value["id"] if isinstance(value, dict) else FormField.of(spec).text(value)
    return texts
