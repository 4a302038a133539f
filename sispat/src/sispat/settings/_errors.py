"""Configuration that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["InvalidSettings", "InvalidValue"]


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """One bad value; `value` is already masked when it is a secret."""

    name: str
    value: str
    origin: str
    reason: str
    allowed: str

    def __str__(self) -> str:
        reason = f"{self.reason}; " if self.reason else ""
        allowed = _("permitido: %(allowed)s", allowed=self.allowed)
        return f"{self.name} = “{self.value}” ({self.origin}): {reason}{allowed}"


class InvalidSettings(SispatError):
    """One or more values cannot be used; `problems` has them all."""

    code = "configuracao-invalida"

    def __init__(self, problems: tuple[InvalidValue, ...]) -> None:
        self.problems = problems
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(
            _("Configuração inválida:")
            + f"{lines}\n"
            + _("Corrija e tente de novo; docs/reference/settings.md explica cada uma.")
        )
