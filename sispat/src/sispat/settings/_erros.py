"""Configuration that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["ConfiguracaoInvalida", "Problema"]


@dataclass(frozen=True, slots=True)
class Problema:
    """One bad value; `valor` is already masked when it is a secret."""

    nome: str
    valor: str
    origem: str
    motivo: str
    permitido: str

    def __str__(self) -> str:
        motivo = f"{self.motivo}; " if self.motivo else ""
        allowed = _("permitido: %(allowed)s", allowed=self.permitido)
        return f"{self.nome} = “{self.valor}” ({self.origem}): {motivo}{allowed}"


class ConfiguracaoInvalida(SispatError):
    """One or more values cannot be used; `problemas` has them all."""

    code = "configuracao-invalida"

    def __init__(self, problemas: tuple[Problema, ...]) -> None:
        self.problemas = problemas
        linhas = "".join(f"\n  {problema}" for problema in problemas)
        super().__init__(
            _("Configuração inválida:")
            + f"{linhas}\n"
            + _("Corrija e tente de novo; docs/reference/settings.md explica cada uma.")
        )
