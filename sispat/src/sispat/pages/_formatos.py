"""Values as people in Brazil read them.

Promises: what cannot be read as the kind of value it should be is shown as it is, never hidden and never an
error: these also show what somebody typed wrong.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

__all__ = ["VAZIO", "cep", "data", "decimal", "documento", "moeda", "momento", "numero_do_bem", "visivel"]

VAZIO = "—"
_INVISIVEIS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def moeda(valor: object) -> str:
    """`1234.5` as 1.234,50."""
    return decimal(valor, 2)


def decimal(valor: object, casas: int | None = None) -> str:
    """A number with a decimal comma and dots between thousands."""
    try:
        numero = Decimal(str(valor))
        texto = f"{numero:,}" if casas is None else f"{numero:,.{casas}f}"
    except (InvalidOperation, ValueError):
        return str(valor)
    return texto.translate(str.maketrans(",.", ".,"))


def data(valor: object) -> str:
    """`2026-01-31` as 31/01/2026."""
    try:
        return dt.date.fromisoformat(str(valor)).strftime("%d/%m/%Y")
    except ValueError:
        return str(valor)


def momento(valor: dt.datetime | str, fuso: str) -> str:
    """A point in time, on the clocks of `fuso`: 31/01/2026 às 14:05."""
    quando = dt.datetime.fromisoformat(valor) if isinstance(valor, str) else valor
    return quando.astimezone(ZoneInfo(fuso)).strftime("%d/%m/%Y às %H:%M")


def numero_do_bem(valor: object) -> str:
    """The plate number of an asset with its leading zeros."""
    return f"{int(str(valor)):06}"


def documento(valor: str | None) -> str:
    """CPF or CNPJ with the separators people know."""
    texto = valor or ""
    if len(texto) == 11 and texto.isdigit():
        return f"{texto[:3]}.{texto[3:6]}.{texto[6:9]}-{texto[9:]}"
    if len(texto) == 14 and "*" not in texto:
        return f"{texto[:2]}.{texto[2:5]}.{texto[5:8]}/{texto[8:12]}-{texto[12:]}"
    return texto


def cep(valor: str) -> str:
    """`01001000` as 01001-000."""
    return f"{valor[:5]}-{valor[5:]}" if len(valor) == 8 and valor.isdigit() else valor


def visivel(texto: object) -> str:
    """Text that HTML can carry: what is invisible there is shown as the replacement character."""
    return _INVISIVEIS.sub("\ufffd", str(texto))
