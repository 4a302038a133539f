"""Commissions: named, corrected, ended; and asked whether they may act.

Promises: a commission has as many members as the city says, each an agente in use when named; of two people saving the same
version exactly one wins; every change is audited in the same transaction. What a commission did keeps its act and the names of
its members as they were then.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import errors

from sispat.comissoes import rules, sql
from sispat.comissoes.fields import Comissao, EncerramentoDeComissao
from sispat.comissoes.kinds import COMISSOES
from sispat.comissoes.rules import EstadoDaComissao, FinalidadeDaComissao
from sispat.kernel import formats, record_sql
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound, VersionConflict
from sispat.kernel.i18n import _, lazy, ngettext
from sispat.kernel.records import obter, record

__all__ = ["CONSTRAINTS", "Acting", "acting", "editar", "encerrar", "nomear", "opcoes"]

CONSTRAINTS = {
    "comissao_portaria_unica": ("portaria", lazy("Já existe uma comissão desta portaria com esta finalidade.")),
    "comissao_encerrada_apos_inicio": ("encerrada_em", lazy("A data deve ser igual ou posterior à do início.")),
}
_OFFERED = 50  # commissions that a form offers
_REGISTERED_LATE = dt.timedelta(days=366)


async def nomear(ctx: Context, new: Comissao, fewest: int) -> str:
    """Name a commission; its document (JSON)."""
    ctx.access.require(rules.NOMEAR)
    async with ctx.conn.transaction():
        members = await _members(ctx, new.matriculas, fewest)
        values = new.model_dump(exclude={"matriculas"})
        try:
            (id_,) = await record_sql.inserir(ctx.conn, COMISSOES.table, values, [{"registrada_por": ctx.actor}])
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        await sql.gravar_membros(ctx.conn, id_, [each.id for each in members])
        await record(ctx, COMISSOES, id_, "nomear_comissao", None, {**values, "membros": _names(members)})
        return await obter(ctx, COMISSOES, id_)


async def editar(ctx: Context, id_: UUID, edited: Comissao, version: int, fewest: int) -> str:
    """Correct a commission that acts; its document (JSON). Raises `VersionConflict` when somebody was faster."""
    ctx.access.require(rules.EDITAR)
    async with ctx.conn.transaction():
        before = await _locked(ctx, id_)
        stored = json.loads(await obter(ctx, COMISSOES, id_))
        if before["versao"] != version:
            raise VersionConflict(_("A comissão"), before["portaria"], current=stored, sent=edited.model_dump())
        _require_acting(before)
        new = edited.model_dump(exclude={"matriculas"})
        changes = {name: value for name, value in new.items() if before[name] != value}
        told = {name: before[name] for name in changes}
        matriculas = tuple(each["matricula"] for each in stored["membros"])
        members: Sequence[sql.Member] = ()
        if edited.matriculas != matriculas:
            members = await _members(ctx, edited.matriculas, fewest)
            told["membros"] = ", ".join(each["nome"] for each in stored["membros"])
        if told:
            await _save(ctx, id_, changes, told, members, "editar")
        return await obter(ctx, COMISSOES, id_)


async def encerrar(ctx: Context, id_: UUID, ended: EncerramentoDeComissao, today: dt.date) -> str:
    """End a commission: this is the last day on which it acts; its document (JSON)."""
    ctx.access.require(rules.EDITAR)
    if ended.encerrada_em > today:
        raise InvalidData({"encerrada_em": _("Este dia ainda não chegou.")})
    async with ctx.conn.transaction():
        _require_acting(await _locked(ctx, id_))
        await _save(ctx, id_, ended.model_dump(), {"encerrada_em": None}, (), "encerrar_comissao")
        return await obter(ctx, COMISSOES, id_)


async def _save(
    ctx: Context,
    id_: UUID,
    changes: Mapping[str, Any],
    before: Mapping[str, Any],
    members: Sequence[sql.Member],
    action: str,
) -> None:
    try:
        # The version counts also what changed of the members alone.
        await record_sql.atualizar(ctx.conn, COMISSOES.table, id_, changes or {"registrada_por": ctx.actor})
    except errors.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error
    after = dict(changes)
    if members:
        await sql.gravar_membros(ctx.conn, id_, [each.id for each in members])
        after["membros"] = _names(members)
    await record(ctx, COMISSOES, id_, action, before, after)


async def _locked(ctx: Context, id_: UUID) -> dict[str, Any]:
    found = await record_sql.travar(ctx.conn, COMISSOES.table, None, id_)
    if found is None:
        raise NotFound(_("A comissão"), id_)
    return found


def _require_acting(found: Mapping[str, Any]) -> None:
    if found["estado"] != EstadoDaComissao.VIGENTE:
        raise InvalidData({"estado": _("A comissão já está encerrada.")})


async def _members(ctx: Context, matriculas: Sequence[str], fewest: int) -> list[sql.Member]:
    found = await sql.agentes(ctx.conn, list(dict.fromkeys(matriculas)))
    unknown = [each for each in matriculas if each not in {member.matricula for member in found if member.ativo}]
    if unknown:
        numbers = ", ".join(unknown[:5])
        raise InvalidData({"matriculas": _("Não são de agentes em uso no cadastro: %(numbers)s.", numbers=numbers)})
    if len(found) < len(matriculas):
        raise InvalidData({"matriculas": _("A mesma matrícula está mais de uma vez na lista.")})
    if len(found) < fewest:
        raise InvalidData(
            {
                "matriculas": ngettext(
                    "A comissão tem pelo menos %(num)s membro, um por linha.",
                    "A comissão tem pelo menos %(num)s membros, um por linha.",
                    fewest,
                    num=fewest,
                )
            }
        )
    return found


def _names(members: Sequence[sql.Member]) -> str:
    return ", ".join(member.nome for member in members)


class Acting(NamedTuple):
    """What is written of a commission into what it does: its act, and its members, one a line."""

    portaria: str
    membros: str


async def acting(
    ctx: Context, id_: UUID, wanted: FinalidadeDaComissao, day: dt.date, field: str = "comissao_id"
) -> Acting:
    """The commission, where it may do what is wanted on this day; raises `InvalidData` of `field` otherwise."""
    try:
        found = json.loads(await obter(ctx, COMISSOES, id_))
    except NotFound:
        raise InvalidData({field: _("Escolha um item da lista.")}) from None
    inicio, fim, ended = (
        None if found[name] is None else dt.date.fromisoformat(found[name])
        for name in ("inicio", "fim", "encerrada_em")
    )
    assert inicio is not None
    if not rules.acts_on(found["finalidade"], wanted, inicio, fim, ended, day):
        raise InvalidData(
            {
                field: _(
                    "A comissão da portaria %(act)s não é para isto ou não valia em %(date)s.",
                    act=found["portaria"],
                    date=formats.date(day),
                )
            }
        )
    return Acting(found["portaria"], "\n".join(each["nome"] for each in found["membros"]))


async def opcoes(ctx: Context, wanted: FinalidadeDaComissao, today: dt.date, *, now: bool = False) -> dict[str, str]:
    """The commissions that a form offers: id -> act. Those that may act today; unless it must be `now`, then those that
    ended within a year, with their last day: what they decided is often registered later.
    """
    ctx.access.require(rules.VER)
    since = today if now else today - _REGISTERED_LATE
    found = await sql.oferecidas(ctx.conn, [FinalidadeDaComissao.GERAL, wanted], since, today, _OFFERED)
    return {
        str(id_): _("Portaria %(act)s", act=act)
        if last is None or last >= today
        else _("Portaria %(act)s, até %(date)s", act=act, date=formats.date(last))
        for id_, act, last in found
    }
