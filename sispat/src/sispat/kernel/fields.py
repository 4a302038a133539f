"""One table of fields per entity: what stands there is all that forms, API, documents, CSV and history know of it.

Promises: a field is one line of a pydantic model, `name: Annotated[type, constraints, Ui(label, ...)]`; an `Entity` reads
those lines. Whatever shows, stores, exports or documents a record goes through `Entity.fields`, so that a field cannot be
known in one place and forgotten in another: a line without `Ui` fails when the program starts, a line without its
column, or a column without its line, fails a test against the schema.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict, create_model
from pydantic_core import PydanticUndefined

from sispat.kernel import formats
from sispat.kernel.i18n import as_lazy, lazy, source_of
from sispat.kernel.inputs import As, Input, Kind
from sispat.kernel.labelled import Labelled

__all__ = [
    "STRICT", "Cell", "Entity", "FieldSpec", "Shape", "Ui", "labels_of", "plain_heading", "specs", "text_of_cell",
]  # fmt: skip

STRICT = ConfigDict(extra="forbid", defer_build=True)
"""Of shapes that are made of a table."""


class Shape(BaseModel):
    """Base of what is described and shown but not read from outside: documents of the API, lines that the service fills in.

    pydantic builds what checks one when somebody first asks for that, which of most of them no process ever does.
    """

    model_config = ConfigDict(defer_build=True)


YES_NO = {"true": lazy("Sim"), "false": lazy("Não")}


@dataclass(frozen=True, slots=True)
class Ui:
    """What people see of a field, its texts in Portuguese; each is shown in the language of whoever reads it.

    `section` is its heading in forms and on the card. `pattern_hint` says in words what its pattern allows. `button` is
    the label of a button beside it that completes the form. `refers_to` names the entity a UUID is the key of.
    `fixed`: never changes once written. `filled`: left blank, the service fills it in, so that it is never stored blank.
    `in_form`: people type it. `in_list`: in the short document too. `in_csv`: exported.
    """

    label: str
    hint: str = ""
    section: str = ""
    width: Literal["", "curta", "media"] = ""
    pattern_hint: str = ""
    button: str = ""
    refers_to: str = ""
    long: bool = False
    fixed: bool = False
    filled: bool = False
    in_form: bool = True
    in_list: bool = False
    in_csv: bool = True

    def __post_init__(self) -> None:
        """Make the texts lazy."""
        for name in ("label", "hint", "section", "pattern_hint", "button"):
            object.__setattr__(self, name, as_lazy(getattr(self, name)))


Cell = str | Decimal | dt.date
"""A value in a spreadsheet."""


def text_of_cell(cell: Cell) -> str:
    """An amount with a decimal comma, a date as 2026-01-31."""
    return str(cell).replace(".", ",") if isinstance(cell, Decimal) else str(cell)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A line of the table, read."""

    name: str
    type: type
    kind: Kind
    ui: Ui
    nullable: bool  # as stored
    default: Any
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        """Whether an input without it is refused."""
        return self.default is PydanticUndefined

    @property
    def optional(self) -> bool:
        """Whether people may leave it blank."""
        return self.default in ("", None, ())

    @property
    def member(self) -> str:
        """Its name in a document that holds what it refers to: `classe` for `classe_id`."""
        return self.name.removesuffix("_id") if self.ui.refers_to else self.name

    def shown(self, value: Any, names: Mapping[UUID, str] | None = None) -> str:
        """A stored value as people read it; `names` says what records are called."""
        if value is None or value == "":
            return formats.EMPTY
        if isinstance(value, dict):
            return str(value["nome"])
        if isinstance(value, list):  # records
            return ", ".join(str(each["nome"]) for each in value)
        if self.ui.refers_to:
            return (names or {}).get(UUID(str(value)), str(value))
        if isinstance(value, bool):
            return str(YES_NO["true" if value else "false"])
        label = self.choices.get(str(value))
        return str(label) if label else _SHOWN.get(self.kind, str)(value)

    def cell(self, value: Any) -> Cell:
        """A stored value for a spreadsheet: references by name, amounts and dates as such, all else as programs know it."""
        if value is None:
            return ""
        if isinstance(value, dict):
            return str(value["nome"])
        if isinstance(value, list):
            return ", ".join(str(each["nome"]) for each in value)
        if self.kind == "plate":
            return formats.plate_number(value)
        if self.kind in ("money", "decimal"):
            return Decimal(str(value))
        return dt.date.fromisoformat(str(value)) if self.kind in ("date", "month") else str(value)

    def plain(self, value: Any) -> str:
        """The same as the text of a CSV."""
        return text_of_cell(self.cell(value))


_SHOWN = {
    "money": lambda value: f"R$ {formats.money(value)}",
    "decimal": formats.decimal,
    "date": formats.date,
    "month": formats.month,
    "cpf_cnpj": formats.cpf_cnpj,
    "cep": formats.cep,
    "plate": formats.plate_number,
}
_KINDS: dict[type, Kind] = {
    str: "text", dt.date: "date", dt.datetime: "moment", Decimal: "decimal", int: "integer", bool: "radio",
    UUID: "reference",
}  # fmt: skip


def specs(*models: type[BaseModel]) -> dict[str, FieldSpec]:
    """The lines of `models` by name; raises `TypeError` for one that has no `Ui`, or of a type nobody can show."""
    return {
        name: _spec(f"{model.__name__}.{name}", name, info.annotation, info.metadata, info.default)
        for model in models
        for name, info in model.model_fields.items()
    }


def labels_of(*models: type[BaseModel]) -> dict[str, str]:
    """What people read beside the fields of `models`; those with an alias also by it."""
    labels = {name: spec.ui.label for name, spec in specs(*models).items()}
    aliases = {info.alias: name for model in models for name, info in model.model_fields.items() if info.alias}
    return labels | {alias: labels[name] for alias, name in aliases.items()}


def _spec(where: str, name: str, annotation: Any, metadata: Iterable[Any], default: Any) -> FieldSpec:
    type_, inner, nullable = _unwrapped(annotation)
    marks = [*inner, *metadata]
    ui = next((mark for mark in marks if isinstance(mark, Ui)), None)
    if ui is None:
        raise TypeError(f"{where} has no Ui(...): say at least its label")
    kind = next((mark.kind for mark in marks if isinstance(mark, As)), None)
    choices: Mapping[str, str] = YES_NO if type_ is bool else {}
    if issubclass(type_, Labelled):
        choices, kind = type_.labels(), kind or "radio"
    kind = "long" if ui.long else kind or _KINDS.get(type_)
    if kind is None:
        raise TypeError(f"{where} is of type {type_.__name__}, which has no kind: give it As(...)")
    return FieldSpec(name, type_, kind, ui, nullable and not ui.filled, default, choices)


def _unwrapped(annotation: Any) -> tuple[type, list[Any], bool]:
    """The bare type, what `Annotated` says around it, and whether None is allowed."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        type_, more, nullable = _unwrapped(inner)
        return type_, [*more, *marks], nullable
    if get_origin(annotation) in (Union, UnionType):
        (one,) = [each for each in get_args(annotation) if each is not NoneType]
        type_, more, _ = _unwrapped(one)
        return type_, more, True
    origin = get_origin(annotation)
    return str if origin is Literal else origin or annotation, [], False


@dataclass(frozen=True, eq=False)
class Entity:
    """What people work with: its names, its address, and its table of fields.

    `typed` are the inputs with what people may write; `given` has what only the service does. `sections` orders the
    headings. `title` is the field that names a record.
    """

    name: str
    label: str
    typed: tuple[type[Input], ...] = ()
    given: type[BaseModel] | None = None
    path: str = ""
    sections: tuple[str, ...] = ("",)
    title: str = "nome"

    @cached_property
    def fields(self) -> dict[str, FieldSpec]:
        """All of them: first what the service gives, then what people write, in the order of the table."""
        own = {**(specs(self.given) if self.given else {}), **specs(*self.typed)}
        for spec in own.values():
            if spec.ui.section not in self.sections:
                raise TypeError(
                    f"{self.name}.{spec.name}: no section {source_of(spec.ui.section)!r} among {self.sections}"
                )
        return own

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that people write."""
        return tuple(specs(*self.typed))

    @cached_property
    def import_names(self) -> dict[str, str]:
        """Heading of a spreadsheet, without accents and in lower case, -> field: by name, member or label."""
        return {
            plain_heading(heading): spec.name
            for spec in self.fields.values()
            for heading in (source_of(spec.ui.label), spec.member, spec.name)
        }

    @cached_property
    def unlisted(self) -> tuple[str, ...]:
        """The fields that a short document leaves out."""
        return tuple(name for name, spec in self.fields.items() if not spec.ui.in_list)

    def document(self, name: str, *, but: Sequence[str] = (), references: Mapping[str, Any] | None = None) -> Any:
        """The shape of its JSON document without the fields `but`, for OpenAPI, and nothing beside it allowed.

        Decimals are strings, so that no cent is lost. With `references` (entity -> shape) a record holds what it refers
        to; without, its keys.
        """
        members: dict[str, Any] = {}
        for spec in self.fields.values():
            if spec.name in but:
                continue
            if references is not None and spec.ui.refers_to:
                shape = references[spec.ui.refers_to]
                members[spec.member] = (shape | None if spec.nullable else shape, ...)
            else:
                kind = str if spec.type is Decimal else spec.type
                members[spec.name] = (kind | None if spec.nullable else kind, ...)
        return create_model(name, __config__=STRICT, __doc__=f"{source_of(self.label)}.", **members)


def plain_heading(text: str) -> str:
    """`text` as headings are compared: lower case, no accents, one space between words."""
    return _plain(str(text))


@lru_cache(maxsize=4096)  # an import asks for the same few names once a row
def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(bare.lower().replace("_", " ").split())
