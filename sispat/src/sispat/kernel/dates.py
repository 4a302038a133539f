"""Dates as people in Brazil type them. Pure.

Promises: day, month and year with or without separators, the year with two or four digits; what cannot be read so stays as
it was typed, for whoever checks it to name.
"""

from __future__ import annotations

import datetime as dt
import re

__all__ = ["FAR", "far_ahead", "read_date"]

FAR = dt.timedelta(days=30)  # a purchase is entered after it; some weeks are left for what is booked ahead

_WITH_SEPARATORS = re.compile(r"(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4}|\d{2})", re.ASCII)
_DIGITS_ALONE = re.compile(r"(\d{2})(\d{2})(\d{4}|\d{2})", re.ASCII)
_NEXT_YEARS = 20  # years ahead that two digits may mean; beyond, they mean the century before


def read_date(typed: str, today: dt.date | None = None) -> str:
    """`20/11/26`, `20.11.2026`, `20112026` as 2026-11-20; anything else as it is.

    Two digits of a year mean the one between 79 years ago and 20 years ahead of `today`.
    """
    text = typed.strip()
    parts = _WITH_SEPARATORS.fullmatch(text) or _DIGITS_ALONE.fullmatch(text)
    if parts is None:
        return text
    day, month, year = parts.groups()
    if len(year) == 2:
        year = str(_whole_year(int(year), (today or dt.date.today()).year))  # noqa: DTZ011
    return f"{year}-{month:0>2}-{day:0>2}"


def far_ahead(date: dt.date, today: dt.date) -> bool:
    """Whether `date` lies so far ahead of `today` that it may be a slip of the hand."""
    return date > today + FAR


def _whole_year(two_digits: int, this_year: int) -> int:
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + _NEXT_YEARS else year
