"""What the city owns: how much of it in each situação, setor and classe."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import AsyncConnection

from sispat.kernel.context import Context
from sispat.kernel.situacoes import Situacao
from sispat.patrimonios import rules, sql
from sispat.patrimonios.sql import Parte

__all__ = ["Parte", "Totais", "cuidar", "partes", "totais"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Totais:
    """How many assets are in each situação and what they are worth, within reach; all situações are there."""

    por_situacao: dict[Situacao, tuple[int, Decimal]]

    @property
    def quantidade(self) -> int:
        """All assets but those written off."""
        return sum(n for situacao, (n, _) in self.por_situacao.items() if situacao is not Situacao.BAIXADO)

    @property
    def valor(self) -> Decimal:
        """What they are worth, in reais."""
        return sum((v for s, (_, v) in self.por_situacao.items() if s is not Situacao.BAIXADO), Decimal(0))


async def totais(ctx: Context) -> Totais:
    """What there is within reach."""
    ctx.access.require(rules.VER)
    found = {
        total.situacao: (total.quantidade, total.valor) for total in await sql.totais(ctx.conn, ctx.access.setores)
    }
    return Totais({situacao: found.get(situacao.value, (0, Decimal(0))) for situacao in Situacao})


async def partes(ctx: Context) -> list[Parte]:
    """Each setor and each classe that has assets within reach, the most valuable first; those written off do not count."""
    ctx.access.require(rules.VER)
    return await sql.partes(ctx.conn, ctx.access.setores)


async def cuidar(conn: AsyncConnection[Any]) -> None:
    """Fold what has gathered, and say so where the totals differ from a count: that would be an error of ours."""
    await sql.dobrar_totais(conn)
    for setor, classe, situacao, kept, counted in await sql.totais_divergentes(conn):
        _logger.error(
            "total de bens divergente: setor %s, classe %s, %s: guardado %s, contado %s",
            setor, classe, situacao, kept, counted,
        )  # fmt: skip
