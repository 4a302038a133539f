"""What is wrong in a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from esteio.errors import EsteioError

__all__ = ["ConfigError", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`place` is the section and the option; `value` is what stands there, as TOML has it, "" where nothing does."""

    place: str
    value: str
    allowed: str

    def __str__(self) -> str:
        found = f" is {self.value}" if self.value else " is missing"
        return f"{self.place}{found}; allowed: {self.allowed}"


class ConfigError(EsteioError, ValueError):
    """All `problems` of the file at `path`."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = "".join(f"\n- {problem}" for problem in self.problems)
        super().__init__(f"{path} cannot be used; mend this and run `esteio watch check`:{lines}")
