"""What a watch tells; `name` is that of the backups it looks at."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["BackupsGreen", "BackupsRed"]


@dataclass(frozen=True, slots=True)
class BackupsRed(Event):
    """Somebody has to get up: `problems` have lasted."""

    problems: tuple[str, ...]

    def __str__(self) -> str:
        return f"backups {self.name} are red: {'; '.join(self.problems)}"


@dataclass(frozen=True, slots=True)
class BackupsGreen(Event):
    """All has been well again for two looks."""

    def __str__(self) -> str:
        return f"backups {self.name} are well again"
