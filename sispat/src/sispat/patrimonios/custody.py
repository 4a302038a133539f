"""Custody of many assets, changed at once.

Promises: all of them or none, in one transaction; each asset that changes is audited; what was confirmed is what is changed:
where the choice finds another number of assets than was confirmed, nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from psycopg import errors
from pydantic import Field

from sispat.cadastros import actions as cadastros
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.fields import Ui
from sispat.kernel.formats import decimal, plate_number
from sispat.kernel.i18n import _
from sispat.kernel.inputs import As, BlankIsNone, Input, example
from sispat.kernel.situacoes import Situacao
from sispat.patrimonios import rules, sql
from sispat.patrimonios.actions import CONSTRAINTS, meant, require_agente
from sispat.patrimonios.listing import ListaDePatrimonios

__all__ = [
    "MAIS_DE_UMA_VEZ",
    "CargaDeMuitos",
    "CargaEmLote",
    "Escolha",
    "contar_escolha",
    "named",
    "passar_toda_a_carga",
    "trocar_cargas",
]

MAIS_DE_UMA_VEZ = 2000  # assets: some seconds of locks
_NAMED = 5  # numbers that a message tells


class CargaDeMuitos(Input):
    """Where assets stand and who answers for them; what is left out stays as it is for each. The setor is the local's."""

    local_id: Annotated[
        UUID | None, BlankIsNone, Ui("Local", "Em branco, cada bem fica no seu local.", refers_to="local")
    ] = None
    agente_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Agente responsável", "Em branco, cada bem fica com o seu agente.", refers_to="agente"),
    ] = None


class CargaEmLote(CargaDeMuitos):
    """The same of these assets, by plate number."""

    model_config = example(numeros=[1, 2], agente_id="b7653cce-dfb1-4d4e-a699-d5ef454b78f8")

    numeros: Annotated[
        tuple[Annotated[int, Field(ge=1, le=10**18 - 1)], ...],
        Field(min_length=1, max_length=MAIS_DE_UMA_VEZ),
        As("text"),
        Ui("Números dos bens"),
    ]


@dataclass(frozen=True, slots=True)
class Escolha:
    """Which assets: those of these numbers, or all that `asked` finds."""

    numeros: tuple[int, ...] = ()
    asked: ListaDePatrimonios | None = None


async def contar_escolha(ctx: Context, chosen: Escolha) -> int:
    """How many there are within reach, counted no further than one more than can be changed at once."""
    ctx.access.require(rules.TROCAR_CARGA)
    if chosen.asked is None:
        return len(set(chosen.numeros))
    return await sql.contar(ctx.conn, await meant(ctx, chosen.asked.query(ctx.access.setores)), MAIS_DE_UMA_VEZ)


async def trocar_cargas(ctx: Context, chosen: Escolha, troca: CargaDeMuitos, confirmed: int) -> int:
    """Put all of `chosen` into other custody; how many were not so already. Raises `InvalidData`, then none is changed."""
    ctx.access.require(rules.TROCAR_CARGA)
    to = await _destination(ctx, troca)
    async with ctx.conn.transaction():
        found = await _locked(ctx, chosen)
        _require_confirmed(chosen, found, confirmed)
        off = [each.numero for each in found if each.situacao == Situacao.BAIXADO]
        if off:
            raise InvalidData(
                {"bens": _("Bens baixados não mudam mais: %(numbers)s. Retire-os da escolha.", numbers=named(off))}
            )
        try:
            return await sql.trocar_cargas(ctx.conn, [each.id for each in found], to, ctx.author)
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error


async def _destination(ctx: Context, troca: CargaDeMuitos) -> dict[str, UUID | None]:
    if troca.local_id is None and troca.agente_id is None:
        raise InvalidData({"local_id": _("Escolha o local, o agente responsável, ou ambos.")})
    setor_id = None
    if troca.local_id is not None:
        try:
            setor_id = (await cadastros.obter(ctx, "local", troca.local_id))["setor_id"]
        except NotFound:
            raise InvalidData({"local_id": _("Escolha um local da lista.")}) from None
    if troca.agente_id is not None:
        await require_agente(ctx, troca.agente_id)
    return {"setor_id": setor_id, "local_id": troca.local_id, "agente_id": troca.agente_id}


async def _locked(ctx: Context, chosen: Escolha) -> list[sql.Travado]:
    which: sql.Query | Sequence[int] = chosen.numeros
    if chosen.asked is not None:
        which = await meant(ctx, chosen.asked.query(ctx.access.setores))
    return await sql.travar(ctx.conn, ctx.access.setores, which, MAIS_DE_UMA_VEZ + 1)


def _require_confirmed(chosen: Escolha, found: Sequence[sql.Travado], confirmed: int) -> None:
    missing = set(chosen.numeros) - {each.numero for each in found}
    if missing:
        raise InvalidData(
            {"bens": _("Não existem ou não estão ao seu alcance: %(numbers)s.", numbers=named(sorted(missing)))}
        )
    if not found:
        raise InvalidData({"bens": _("Marque pelo menos um bem.")})
    if len(found) > MAIS_DE_UMA_VEZ:
        raise InvalidData(
            {"bens": _("São mais de %(most)s bens. Escolha menos de cada vez.", most=decimal(MAIS_DE_UMA_VEZ))}
        )
    if len(found) != confirmed:
        told = {"before": decimal(confirmed), "now": decimal(len(found))}
        raise InvalidData({"bens": _("Eram %(before)s bens e agora são %(now)s. Confira e confirme de novo.", **told)})


def named(numbers: Sequence[int]) -> str:
    """The first of these plate numbers, and how many more there are."""
    shown = ", ".join(plate_number(number) for number in numbers[:_NAMED])
    return (
        shown
        if len(numbers) <= _NAMED
        else _("%(numbers)s e mais %(more)s", numbers=shown, more=decimal(len(numbers) - _NAMED))
    )


async def passar_toda_a_carga(ctx: Context, de: UUID, para: UUID) -> int:
    """Give all assets of an agente to another one, whatever their state; how many. Raises `InvalidData`, then none is given.

    The permission is the use case's to ask: it is of those who reach the whole city.
    """
    try:
        return await sql.passar_toda_a_carga(ctx.conn, de, para, ctx.author)
    except errors.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error
