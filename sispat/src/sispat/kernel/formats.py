"""Values as people read them: in Portuguese as in Brazil, in English with a decimal point and the month in letters.

Promises: what cannot be read as the kind of value it should be is shown as it is, never hidden and never an
error: these also show what somebody typed wrong.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from sispat.kernel.i18n import language

__all__ = ["EMPTY", "cep", "cpf_cnpj", "date", "decimal", "moment", "money", "month", "plate_number", "printable"]

EMPTY = "—"
_BRAZILIAN = str.maketrans(",.", ".,")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def money(value: object) -> str:
    """`1234.5` as 1.234,50, in English 1,234.50."""
    return decimal(value, 2)


def decimal(value: object, places: int | None = None) -> str:
    """A number with a decimal comma and dots between thousands; in English the other way round."""
    try:
        number = Decimal(str(value))
        text = f"{number:,}" if places is None else f"{number:,.{places}f}"
    except (InvalidOperation, ValueError):
        return str(value)
    return text if language() == "en" else text.translate(_BRAZILIAN)


def date(value: object) -> str:
    """`2026-01-31` as 31/01/2026, in English 31 Jan 2026: which of two numbers is the month differs among its readers."""
    try:
        return _day(dt.date.fromisoformat(str(value)))
    except ValueError:
        return str(value)


def moment(value: dt.datetime | str, zone: str) -> str:
    """A point in time, on the clocks of `zone`: 31/01/2026 às 14:05, in English 31 Jan 2026 at 14:05."""
    when = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    local = when.astimezone(ZoneInfo(zone))
    return f"{_day(local)} {'at' if language() == 'en' else 'às'} {local:%H:%M}"


def _day(date: dt.date) -> str:
    # Not strftime's %b: it follows the locale of the process.
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}" if language() == "en" else date.strftime("%d/%m/%Y")


def month(value: object) -> str:
    """The month of a day: `2026-10-01` as 10/2026, in English Oct 2026."""
    try:
        day = dt.date.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return f"{_MONTHS[day.month - 1]} {day.year}" if language() == "en" else f"{day:%m/%Y}"


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
