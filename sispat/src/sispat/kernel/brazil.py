"""CPF, CNPJ and CEP: their normal form and their check digits. Pure.

Sources: Receita Federal's modulo-11 rule; CNPJ is alphanumeric from July 2026 (Instrução Normativa RFB 2.229/2024),
its characters counting as ASCII code minus 48, so that the old numeric ones keep their digits. A CEP is eight digits.
"""

from __future__ import annotations

import re

from sispat.kernel.i18n import lazy

__all__ = ["INVALID_CEP", "mask_cpf", "normal_cep", "valid_cnpj", "valid_cpf", "without_separators"]

INVALID_CEP = lazy("CEP inválido: são 8 algarismos, como 01001-000.")

_CNPJ_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def without_separators(text: str) -> str:
    """Upper case, without the dots, dashes, slashes and spaces people type."""
    return re.sub(r"[\s./-]", "", text).upper()


def valid_cpf(cpf: str) -> bool:
    """Whether `cpf` is 11 digits, not all equal, with right check digits."""
    if not re.fullmatch("[0-9]{11}", cpf) or len(set(cpf)) == 1:
        return False
    return all(
        int(cpf[n]) == _check_digit(sum(int(d) * w for d, w in zip(cpf[:n], range(n + 1, 1, -1), strict=True)))
        for n in (9, 10)
    )


def valid_cnpj(cnpj: str) -> bool:
    """Whether `cnpj` is 12 letters or digits plus 2 right check digits, not all equal."""
    if not re.fullmatch("[0-9A-Z]{12}[0-9]{2}", cnpj) or len(set(cnpj)) == 1:
        return False
    return all(
        int(cnpj[n])
        == _check_digit(sum((ord(c) - 48) * w for c, w in zip(cnpj[:n], _CNPJ_WEIGHTS[13 - n :], strict=True)))
        for n in (12, 13)
    )


def mask_cpf(cpf: str | None) -> str | None:
    """`cpf` as it may be shown: ***.456.789-**."""
    return cpf and f"***.{cpf[3:6]}.{cpf[6:9]}-**"


def normal_cep(text: str) -> str | None:
    """The eight digits of `text`, or None where it is no CEP."""
    cep = without_separators(text)
    return cep if re.fullmatch("[0-9]{8}", cep) else None


def _check_digit(total: int) -> int:
    rest = total % 11
    return 0 if rest < 2 else 11 - rest
