"""Rows of a spreadsheet as assets: what each cell means, and what is wrong with it. Pure.

Promises: whether an asset is right is decided by the table of fields (`patrimonios.fields`) and nothing else; here a cell
becomes what a program would send. What cannot be read stays as it was typed, for that table to name. An error says row,
column, value and what is allowed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sispat.cadastros.references import Names, References
from sispat.importacao.columns import CONTA, FIELDS, MATRICULA, NUMERO, QUANTIDADE, SITUACAO
from sispat.importacao.sheets import Cell, Row
from sispat.kernel import formats
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import plain_heading
from sispat.kernel.i18n import _
from sispat.kernel.situacoes import Conservacao
from sispat.kernel.words import plate_typed
from sispat.patrimonios.fields import ItemDoLote
from sispat.ui.fields import FormField, brazilian_number

__all__ = ["CellError", "Parsed", "Reader", "checked"]

_FORMS = {name: FormField.of(spec) for name, spec in FIELDS.items()}
_DATES = {name for name, spec in FIELDS.items() if spec.kind == "date"}
_AMOUNTS = {name for name, spec in FIELDS.items() if spec.kind in ("money", "decimal")}
_CHOICES = {
    name: {plain_heading(each): value for value, label in spec.choices.items() for each in (value, str(label))}
    for name, spec in FIELDS.items()
    if spec.choices
}
# Words of the original SISPAT; a state of repair worse than bad is bad: "inservível" is a finding of law.
_CHOICES["conservacao"] |= {"pessimo": Conservacao.RUIM, "novo": Conservacao.OTIMO}
_REFERRED = {"classe_id": "classe", "setor_id": "setor", "local_id": "local", "agente_id": "agente"}
_OWN = FIELDS.keys() - _REFERRED.keys()
_FIRST_DAY = dt.date(1899, 12, 30)  # what Excel counts days from, for dates after February 1900
_DAYS = 73_050  # until the year 2100
_SHOWN = 200  # characters of a value that an error tells
_DEFUSED = ("'=", "'+", "'-", "'@")


class CellError(NamedTuple):
    """What is wrong with a cell: `column` as the spreadsheet calls it, or the field's label where it has no such column."""

    row: int
    column: str
    value: str
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A row, read: what a program would send, by field; the plate number where it says one; what was wrong already.

    `written_off`: the row is of an asset that is no longer there.
    """

    row: int
    number: int | None
    data: Mapping[str, Any]
    errors: Sequence[CellError] = ()
    written_off: bool = False
    cells: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """Reads rows whose columns are `fields`, an empty name being a column that is left out.

    `defaults` are what a row has where its cell is empty or there is no such column.
    """

    def __init__(
        self, headings: Sequence[str], fields: Sequence[str], defaults: Mapping[str, Any], references: References
    ) -> None:
        self._columns = [(place, name) for place, name in enumerate(fields) if name]
        self.heading = {name: headings[place] for place, name in self._columns}
        self._defaults, self._references = defaults, references

    def read(self, row: Row) -> Parsed:
        """One row."""
        number, cells = row
        texts = {name: _text(cells[place]) for place, name in self._columns if place < len(cells)}
        raw = {name: cells[place] for place, name in self._columns if place < len(cells) and texts[name]}
        errors: list[CellError] = []

        def wrong(name: str, message: str) -> None:
            errors.append(self.error(number, name, texts.get(name, ""), message))

        data = {name: _value(name, cell, texts[name]) for name, cell in raw.items() if name in _OWN}
        data |= self._referred(texts, wrong)
        for name, value in self._defaults.items():
            data.setdefault(name, value)
        if "local_id" in data and "setor_id" not in data and not errors:
            data["setor_id"] = self._references.setor_of[data["local_id"]]
        plate = self._plate(texts, wrong)
        if not _is_one(texts.get(QUANTIDADE, "")):
            wrong(QUANTIDADE, _("Cada linha é um bem: repita a linha para cada um, com quantidade 1."))
        state = plain_heading(texts.get(SITUACAO, ""))
        return Parsed(number, plate, data, errors, state in ("baixado", "baixa"), texts)

    def error(self, row: int, name: str, value: str, message: str) -> CellError:
        """An error of the column that is the field `name`."""
        heading = self.heading.get(name) or (str(FIELDS[name].ui.label) if name in FIELDS else name)
        return CellError(row, formats.printable(heading), formats.printable(value[:_SHOWN]), str(message))

    def _plate(self, texts: Mapping[str, str], wrong: Any) -> int | None:
        typed = texts.get(NUMERO, "")
        if not typed:
            return None
        number = plate_typed(typed)
        if number is None or number < 1:
            wrong(NUMERO, _("O número da plaqueta só tem algarismos, como 001234."))
            return None
        return number

    def _referred(self, texts: Mapping[str, str], wrong: Any) -> dict[str, UUID]:
        known, found = self._references, dict[str, UUID]()
        for name, code, names in (
            ("classe_id", CONTA, known.classe),
            ("setor_id", "", known.setor),
            ("agente_id", MATRICULA, known.agente),
        ):
            by = code if texts.get(code) else name
            if typed := texts.get(by, ""):
                self._one(name, names.find(typed), by, wrong, found)
        if typed := texts.get("local_id", ""):
            within = known.locais_de.get(found["setor_id"], Names()) if "setor_id" in found else known.local
            if "setor_id" in found or not texts.get("setor_id"):
                self._one("local_id", within.find(typed), "local_id", wrong, found)
        return found

    @staticmethod
    def _one(name: str, candidates: Sequence[UUID], by: str, wrong: Any, found: dict[str, UUID]) -> None:
        if len(candidates) == 1:
            found[name] = candidates[0]
        elif candidates and name == "local_id":
            wrong(by, _("Há %(count)s locais com este nome. Diga também o setor.", count=len(candidates)))
        elif candidates:
            wrong(by, _("Há %(count)s com este nome. Use o código, a conta ou a matrícula.", count=len(candidates)))
        elif name == "local_id":
            wrong(by, _("Não há este local, em uso, no setor. Cadastre-o antes, ou corrija o nome."))
        else:
            wrong(by, _("Não está nos cadastros, em uso, com este nome ou código. Cadastre-o antes, ou corrija."))


def checked(reader: Reader, parsed: Parsed, stored: Mapping[str, Any] | None = None) -> ItemDoLote | list[CellError]:
    """The asset that a row describes, by the table of fields; or what is wrong. `stored` is what is there of it already."""
    if parsed.errors:
        return list(parsed.errors)
    data = {**{name: stored[name] for name in FIELDS}, **parsed.data} if stored else parsed.data
    try:
        return ItemDoLote.parse(data)
    except InvalidData as error:
        return [
            reader.error(
                parsed.row, name, parsed.cells.get(name, ""), _FORMS[name].error(message) if name in _FORMS else message
            )
            for name, message in error.fields.items()
            if not (name == "setor_id" and "local_id" in error.fields)  # the setor follows from the local
        ]


def _text(cell: Cell) -> str:
    """A cell as people see it; the quote by which an export defused a formula is taken off again."""
    if isinstance(cell, str):
        text = cell.strip()
        return text[1:] if text.startswith(_DEFUSED) else text
    if isinstance(cell, bool):
        return _("Sim") if cell else _("Não")
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(" ")
    return str(cell)


def _value(name: str, cell: Cell, text: str) -> Any:
    """What a program would send for a cell that people see as `text`."""
    if name in _DATES and not isinstance(cell, str):
        return _day(cell)
    if name in _AMOUNTS and isinstance(cell, int | float) and not isinstance(cell, bool):
        return str(round(Decimal(repr(cell)), 2)) if _is_cents(cell) else repr(cell)
    if name in _CHOICES:
        return _CHOICES[name].get(plain_heading(text), text)
    return brazilian_number(text) if name in _AMOUNTS else _FORMS[name].read(text)


def _day(cell: Cell) -> Any:
    """A date; a number where a date should be is what Excel stores of one whose format was lost."""
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    if isinstance(cell, int | float) and not isinstance(cell, bool) and 61 <= cell <= _DAYS:
        return (_FIRST_DAY + dt.timedelta(days=int(cell))).isoformat()
    return cell.isoformat() if isinstance(cell, dt.date) else _text(cell)


def _is_cents(cell: float) -> bool:
    """Whether it is an amount with two decimals, but for what binary fractions add: 1234.5600000000002."""
    return abs(cell) < 1e13 and abs(cell - round(cell, 2)) < 1e-6


def _is_one(text: str) -> bool:
    return not text or re.fullmatch(r"1([.,]0+)?", text) is not None
