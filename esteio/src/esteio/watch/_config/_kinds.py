"""What an option may be: reads a value of TOML, and says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from esteio.alert.rules import Severity

__all__ = [
    "Address",
    "Choice",
    "Conditions",
    "Kind",
    "Moment",
    "Number",
    "Option",
    "QuietTimes",
    "SeverityKind",
    "Statuses",
    "Text",
    "Texts",
    "Timezone",
    "Url",
]


class Kind(Protocol):
    """`read` raises ValueError for what is not `allowed`."""

    @property
    def allowed(self) -> str: ...

    def read(self, value: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Option:
    """Of a field: what it may be, what it means, and whether its value is never shown."""

    kind: Kind
    meaning: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string that fits `pattern`, which `allowed` says in words."""

    allowed: str = "text of 1 to 2000 characters"
    pattern: str = r"(?s).{1,2000}"

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts."""

    each: Kind = Text()
    most: int = 100

    @property
    def allowed(self) -> str:
        return f'a list ["...", ...] of up to {self.most}: {self.each.allowed}'

    def read(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > self.most:
            raise ValueError
        return tuple(self.each.read(item) for item in value)


@dataclass(frozen=True, slots=True)
class Number:
    """From `low` to `high`, in `unit`."""

    low: float
    high: float
    unit: str = "seconds"
    whole: bool = False

    @property
    def allowed(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{'a whole number' if self.whole else 'a number'} from {self.low:g} to {self.high:.12g}{unit}"

    def read(self, value: Any) -> float:
        fits = isinstance(value, (int, float) if not self.whole else int) and not isinstance(value, bool)
        if not fits or not self.low <= value <= self.high:
            raise ValueError
        return int(value) if self.whole else float(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `values`."""

    values: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return ", ".join(f'"{value}"' for value in self.values)

    def read(self, value: Any) -> str:
        if value not in self.values:
            raise ValueError
        return str(value)


@dataclass(frozen=True, slots=True)
class SeverityKind:
    """Of an alert."""

    allowed: str = '"page" (wakes somebody), "ticket" (waits for the morning)'

    def read(self, value: Any) -> Severity:
        return Severity(value)


@dataclass(frozen=True, slots=True)
class Address:
    """HOST:PORT; an address of IPv6 in brackets."""

    allowed: str = '"HOST:PORT", such as "db.example.org:5432" or "[::1]:5432"'

    def read(self, value: Any) -> tuple[str, int]:
        parts = urlsplit(f"//{value}") if isinstance(value, str) else urlsplit("")
        if not parts.hostname or parts.port is None or parts.path or parts.username is not None:
            raise ValueError
        return parts.hostname, parts.port


@dataclass(frozen=True, slots=True)
class Url:
    """With one of `schemes`, and a host."""

    schemes: tuple[str, ...] = ("http", "https")

    @property
    def allowed(self) -> str:
        return " or ".join(f"{scheme}://HOST[:PORT]/PATH" for scheme in self.schemes)

    def read(self, value: Any) -> str:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        if parts.scheme not in self.schemes or not parts.hostname or (parts.port or 1) < 1 or re.search(r"\s", value):
            raise ValueError
        return str(value)


@dataclass(frozen=True, slots=True)
class Statuses:
    """Status codes of HTTP, each alone or a whole class."""

    allowed: str = 'a list of codes and classes, such as [200, 204] or ["2xx", 304]'

    def read(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise ValueError
        found = tuple(str(item) for item in value)
        if not all(re.fullmatch(r"[1-5](xx|\d\d)", item) for item in found):
            raise ValueError
        return found


@dataclass(frozen=True, slots=True)
class Conditions:
    """Fields of a JSON document by their paths, with the values that they may have."""

    allowed: str = 'a table of paths and values, such as { status = ["pass", "warn"], "queue.0.length" = 0 }'

    def read(self, value: Any) -> Mapping[str, tuple[Any, ...]]:
        if not isinstance(value, dict) or not value:
            raise ValueError
        found = {path: tuple(each) if isinstance(each, list) else (each,) for path, each in value.items()}
        for values in found.values():
            if not values or not all(isinstance(each, (str, int, float, bool)) for each in values):
                raise ValueError
        return found


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and a time of TOML; without an offset, by the clocks of the watcher's timezone."""

    allowed: str = "a date and time without quotes, such as 2026-03-01T22:00:00 or 2026-03-01T22:00:00-03:00"

    def read(self, value: Any) -> datetime:
        if not isinstance(value, datetime):
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Timezone:
    """A name of the tz database."""

    allowed: str = 'a timezone such as "America/Sao_Paulo", or "UTC"'

    def read(self, value: Any) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, TypeError, OSError) as error:
            raise ValueError from error
        return str(value)


@dataclass(frozen=True, slots=True)
class QuietTimes:
    """Two times of the day."""

    allowed: str = '"HH:MM-HH:MM", such as "22:00-07:00"'

    def read(self, value: Any) -> tuple[time, time]:
        if not isinstance(value, str) or value.count("-") != 1:
            raise ValueError
        begin, _, end = value.partition("-")
        return time.fromisoformat(begin), time.fromisoformat(end)
