"""What a termo says, in Portuguese whatever the reader's language: it is a paper of the city. Pure.

Promises: what `content` returns is all that its PDF shows, ready to be shown, so that the PDF made of it years later is the
same: names, places and amounts of the moment, the address and the QR code that confirm it. A CPF is shown in part.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sispat.kernel import formats, i18n
from sispat.kernel.brazil import mask_cpf
from sispat.kernel.i18n import ngettext
from sispat.kernel.qr import qr_svg
from sispat.kernel.situacoes import Conservacao
from sispat.termos.rules import TipoDeTermo
from sispat.termos.sql.sources import Bem

__all__ = ["Person", "Source", "content", "detail_of", "document_of", "long_date", "title_of"]

_MONTHS = (
    "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro",
    "dezembro",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs: `papel` is what as."""

    papel: str
    nome: str
    detalhe: str = ""
    agente_id: UUID | None = None
    usuario_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a termo is made of."""

    tipo: TipoDeTermo
    assunto_id: UUID
    setor_id: UUID
    bens: Sequence[Bem]
    fatos: Sequence[tuple[str, str]]
    partes: Sequence[Person]
    origem_id: UUID | None = None
    agente_id: UUID | None = None
    total: Decimal = field(init=False)

    def __post_init__(self) -> None:
        """Add up."""
        object.__setattr__(self, "total", sum((bem.valor for bem in self.bens), Decimal()))


def title_of(tipo: str, numero: int, exercicio: int) -> str:
    """What people call a termo, in the reader's language."""
    return f"{TipoDeTermo(tipo).label} nº {numero}/{exercicio}"


def long_date(day: dt.date) -> str:
    """`2026-03-02` as 2 de março de 2026."""
    return f"{day.day} de {_MONTHS[day.month - 1]} de {day.year}"


def content(
    source: Source, numero: int, day: dt.date, *, city: str, base: str, codigo: str, replaces: tuple[int, int] | None
) -> dict[str, Any]:
    """All that the paper shows. `base` is the service's public address, `replaces` number and year of what it replaces."""
    with i18n.using("pt-BR"):
        address = f"{base}/t/{codigo}"
        return {
            "tipo": source.tipo.value,
            "titulo": title_of(source.tipo, numero, day.year),
            "numero": numero,
            "exercicio": day.year,
            "cidade": {"nome": city},
            "data": long_date(day),
            "codigo": codigo,
            "endereco": address,
            "qr": qr_svg(address, border=2),
            "substitui": title_of(source.tipo, *replaces) if replaces else None,
            "fatos": [[str(label), value] for label, value in source.fatos],
            "bens": [_line(bem) for bem in source.bens],
            "quantos": ngettext("%(num)s bem", "%(num)s bens", len(source.bens), num=formats.decimal(len(source.bens))),
            "total": formats.money(source.total),
            "partes": [{"papel": str(p.papel), "nome": p.nome, "detalhe": p.detalhe} for p in source.partes],
        }


def document_of(doc: str | None) -> str:
    """A CPF in part, a CNPJ in full, or nothing."""
    return formats.cpf_cnpj(mask_cpf(doc) if doc and len(doc) == 11 else doc)


def _line(bem: Bem) -> list[str]:
    return [
        formats.plate_number(bem.numero), bem.descricao, Conservacao(bem.conservacao).label, bem.local,
        formats.money(bem.valor),
    ]  # fmt: skip


def detail_of(agente: Mapping[str, Any]) -> str:
    """Office and registration of an agente."""
    with i18n.using("pt-BR"):
        number = i18n._("matrícula %(number)s", number=agente["matricula"])
    return f"{agente['cargo']} · {number}" if agente["cargo"] else number
