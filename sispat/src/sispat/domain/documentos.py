"""CPF and CNPJ: their check digits.

Promises: pure functions over normalised text (no dots, dashes or slashes). Sources: Receita Federal's
modulo-11 rule; CNPJ is alphanumeric from July 2026 (Instrução Normativa RFB 2.229/2024), its characters
counting as ASCII code minus 48, so that the old numeric ones keep their digits.
"""

from __future__ import annotations

import re

__all__ = ["cnpj_valido", "cpf_valido", "mascarar_cpf", "normalizar"]

_PESOS_CNPJ = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def normalizar(documento: str) -> str:
    """Upper case, without the separators people type."""
    return re.sub(r"[\s./-]", "", documento).upper()


def cpf_valido(cpf: str) -> bool:
    """Whether `cpf` is 11 digits, not all equal, with right check digits."""
    if not re.fullmatch("[0-9]{11}", cpf) or len(set(cpf)) == 1:
        return False
    return all(
        int(cpf[n]) == _digito(sum(int(d) * peso for d, peso in zip(cpf[:n], range(n + 1, 1, -1), strict=True)))
        for n in (9, 10)
    )


def cnpj_valido(cnpj: str) -> bool:
    """Whether `cnpj` is 12 letters or digits plus 2 right check digits, not all zeros."""
    if not re.fullmatch("[0-9A-Z]{12}[0-9]{2}", cnpj) or len(set(cnpj)) == 1:
        return False
    return all(
        int(cnpj[n]) == _digito(sum((ord(c) - 48) * p for c, p in zip(cnpj[:n], _PESOS_CNPJ[13 - n :], strict=True)))
        for n in (12, 13)
    )


def mascarar_cpf(cpf: str | None) -> str | None:
    """`cpf` as it may be shown: ***.456.789-**."""
    return cpf and f"***.{cpf[3:6]}.{cpf[6:9]}-**"


def _digito(soma: int) -> int:
    resto = soma % 11
    return 0 if resto < 2 else 11 - resto
