"""Values as people in Brazil read them.

Promises: what cannot be read as the kind of value it should be is shown as it is, never hidden and never an
error: these also show what somebody typed wrong.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

__all__ = ["EMPTY", "cep", "cpf_cnpj", "date", "decimal", "moment", "money", "plate_number", "printable"]

EMPTY = "—"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def money(value: object) -> str:
    """`1234.5` as 1.234,50."""
    return decimal(value, 2)


def decimal(value: object, places: int | None = None) -> str:
    """A number with a decimal comma and dots between thousands."""
    try:
        number = Decimal(str(value))
        text = f"{number:,}" if places is None else f"{number:,.{places}f}"
    except (InvalidOperation, ValueError):
        return str(value)
    return text.translate(str.maketrans(",.", ".,"))


def date(value: object) -> str:
    """`2026-01-31` as 31/01/2026."""
    try:
        return dt.date.fromisoformat(str(value)).strftime("%d/%m/%Y")
    except ValueError:
        return str(value)


def moment(value: dt.datetime | str, zone: str) -> str:
    """A point in time, on the clocks of `zone`: 31/01/2026 às 14:05."""
    when = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return when.astimezone(ZoneInfo(zone)).strftime("%d/%m/%Y às %H:%M")


def plate_number(value: object) -> str:
    """The plate number of an asset with its leading zeros."""
    return f"{int(str(value)):06}"


def cpf_cnpj(value: str | None) -> str:
    """CPF or CNPJ with the separators people know."""
    text = value or ""
    if len(text) == 11 and text.isdigit():
        return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"
    if len(text) == 14 and "*" not in text:
        return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"
    return text


def cep(value: str) -> str:
    """`01001000` as 01001-000."""
    return f"{value[:5]}-{value[5:]}" if len(value) == 8 and value.isdigit() else value


def printable(text: object) -> str:
    """Text that HTML can carry: what is invisible there is shown as the replacement character."""
    return _UNPRINTABLE.sub("\ufffd", str(text))
