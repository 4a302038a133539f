"""Postal codes (CEP): eight digits, typed with or without separators."""

from __future__ import annotations

import re

from sispat.domain.documentos import normalizar

__all__ = ["CEP_INVALIDO", "cep_normal"]

CEP_INVALIDO = "CEP inválido: são 8 algarismos, como 01001-000."


def cep_normal(texto: str) -> str | None:
    """The eight digits of `texto`, or None where it is no CEP."""
    cep = normalizar(texto)
    return cep if re.fullmatch("[0-9]{8}", cep) else None
