"""What a look-up can end with, besides an address."""

from __future__ import annotations

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["CepUnavailable", "CepUnknown", "ViacepFailed"]


class CepUnavailable(SispatError):
    """Nobody can say now; `reason` is a sentence, `retry_after` is in seconds, None where waiting does not help."""

    code = "cep-indisponivel"

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.reason, self.retry_after = reason, retry_after
        super().__init__(f"{reason} {_('Digite o endereço à mão: o cadastro funciona sem ela.')}")


class CepUnknown(SispatError):
    """ViaCEP answered: there is no such CEP."""

    code = "cep-desconhecido"

    def __init__(self, cep: str) -> None:
        self.cep = cep
        super().__init__(_("O CEP “%(cep)s” não foi encontrado. Confira-o, ou digite o endereço à mão.", cep=cep))


class ViacepFailed(SispatError):
    """ViaCEP did not answer, or said what is no answer: its failure, counted by the breaker."""

    code = "falha-do-viacep"

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.reason, self.retry_after = reason, retry_after
        super().__init__(f"ViaCEP: {reason}")
