"""What a look-up can end with, besides an address."""

from __future__ import annotations

from sispat.domain.erros import SispatError

__all__ = ["CepDesconhecido", "CepIndisponivel", "FalhaDoViacep"]


class CepIndisponivel(SispatError):
    """Nobody can say now; `retry_after` is in seconds, None where waiting does not help."""

    codigo = "cep-indisponivel"

    def __init__(self, motivo: str, retry_after: float | None = None) -> None:
        self.motivo, self.retry_after = motivo, retry_after
        super().__init__(f"A consulta de CEP {motivo}. Digite o endereço à mão: o cadastro funciona sem ela.")


class CepDesconhecido(SispatError):
    """ViaCEP answered: there is no such CEP."""

    codigo = "cep-desconhecido"

    def __init__(self, cep: str) -> None:
        self.cep = cep
        super().__init__(f"O CEP “{cep}” não foi encontrado. Confira-o, ou digite o endereço à mão.")


class FalhaDoViacep(SispatError):
    """ViaCEP did not answer, or said what is no answer: its failure, counted by the breaker."""

    codigo = "falha-do-viacep"

    def __init__(self, motivo: str, retry_after: float | None = None) -> None:
        self.motivo, self.retry_after = motivo, retry_after
        super().__init__(f"ViaCEP: {motivo}")
