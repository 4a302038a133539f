"""Imóveis: registered, corrected, dedicated to a use, written off.

Promises: nobody sees or touches an imóvel outside their setores; a number is given once; of two people saving the same version
exactly one wins, the other is shown both; its use changes by an act alone, and only a dominical one is alienated (asked here
and once more by constraints); every change is audited in the same transaction. An imóvel's row is locked before anything about
it is decided; whoever takes a write-off back locks that first.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.comissoes.actions import Acting, acting
from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.imoveis import rules, sql
from sispat.imoveis.fields import EdicaoDeImovel, NovoImovel
from sispat.imoveis.kinds import BAIXAS, DESTINACOES, IMOVEIS
from sispat.imoveis.movements import EstornoDeBaixaDeImovel, NovaBaixaDeImovel, NovaDestinacao
from sispat.imoveis.rules import EstadoDoImovel
from sispat.kernel import record_sql
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound, VersionConflict
from sispat.kernel.i18n import _, lazy
from sispat.kernel.patches import Patch
from sispat.kernel.records import obter, record

__all__ = [
    "CONSTRAINTS", "baixar", "corrigir", "criar", "destinar", "editar", "estornar", "passar_toda_a_carga", "require_alterable",
    "ver",
]  # fmt: skip

CONSTRAINTS = {
    "imovel_setor_id_fkey": ("setor_id", lazy("O setor escolhido não existe.")),
    "imovel_agente_id_fkey": ("agente_id", lazy("O agente escolhido não existe.")),
    "imovel_setor_em_uso": ("setor_id", lazy("O setor escolhido não está mais em uso. Escolha outro.")),
    "imovel_agente_em_uso": ("agente_id", lazy("O agente escolhido não está mais em uso. Escolha outro.")),
    "imovel_classe_terreno_id_fkey": ("classe_terreno_id", lazy("A classe escolhida não existe.")),
    "imovel_classe_edificacao_id_fkey": ("classe_edificacao_id", lazy("A classe escolhida não existe.")),
    "imovel_classe_terreno_em_uso": (
        "classe_terreno_id",
        lazy("A classe escolhida não está mais em uso. Escolha outra."),
    ),
    "imovel_classe_edificacao_em_uso": (
        "classe_edificacao_id",
        lazy("A classe escolhida não está mais em uso. Escolha outra."),
    ),
    "imovel_matricula_unica": ("matricula", lazy("Já existe um imóvel com esta matrícula neste cartório.")),
    "imovel_baixa_comissao_id_fkey": ("comissao_id", lazy("A comissão escolhida não existe.")),
    "imovel_baixa_uma_efetiva": ("motivo", lazy("O imóvel já está baixado.")),
    **{
        f"imovel_baixa_{motivo}_exige": ("motivo", lazy("Falta o que este motivo exige."))
        for motivo in rules.MotivoDaBaixaDeImovel
        if rules.REQUIRED[motivo]
    },
}


async def ver(ctx: Context, id_: UUID) -> str:
    """The document (JSON) of one imóvel within reach."""
    return await obter(ctx, IMOVEIS, id_)


async def require_alterable(ctx: Context, id_: UUID) -> None:
    """Raise `InvalidData` for an imóvel of which nothing changes any more."""
    _require_in_books(json.loads(await ver(ctx, id_)))


async def criar(ctx: Context, new: NovoImovel) -> str:
    """Register an imóvel; its document (JSON)."""
    ctx.access.require(rules.CRIAR)
    async with ctx.conn.transaction():
        try:
            id_, numero = await sql.criar(ctx.conn, new.model_dump())
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        await record(ctx, IMOVEIS, id_, "criar", None, {"numero": numero, **new.model_dump()})
        return await obter(ctx, IMOVEIS, id_)


async def editar(ctx: Context, id_: UUID, edited: EdicaoDeImovel, version: int) -> str:
    """Correct what describes an imóvel; its document (JSON). Raises `VersionConflict` when somebody was faster."""
    new = edited.model_dump()
    return await _change(ctx, id_, lambda _: new, version, sent=new)


async def corrigir(ctx: Context, id_: UUID, patch: Patch, version: int) -> str:
    """Correct some fields of an imóvel, as `editar` does."""

    def corrected(before: Mapping[str, Any]) -> dict[str, Any]:
        return patch.applied(EdicaoDeImovel, before).model_dump()

    return await _change(ctx, id_, corrected, version, sent=patch.model_dump(exclude_unset=True))


async def _change(
    ctx: Context,
    id_: UUID,
    new_of: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    version: int,
    *,
    sent: Mapping[str, Any],
) -> str:
    ctx.access.require(rules.EDITAR)
    async with ctx.conn.transaction():
        before = await _locked(ctx, id_)
        if before["versao"] != version:
            current = json.loads(await obter(ctx, IMOVEIS, id_))
            raise VersionConflict(_("O imóvel"), str(before["numero"]), current=current, sent=sent)
        _require_in_books(before)
        changes = {name: value for name, value in new_of(before).items() if before[name] != value}
        if changes:
            await _save(ctx, before, changes, "editar")
        return await obter(ctx, IMOVEIS, id_)


async def destinar(ctx: Context, id_: UUID, new: NovaDestinacao, today: dt.date) -> str:
    """Change the use of an imóvel by an act: afetação, desafetação; the document (JSON) of the change."""
    ctx.access.require(rules.DESTINAR)
    _require_past(new.data, today, "data")
    async with ctx.conn.transaction():
        before = await _locked(ctx, id_)
        _require_in_books(before)
        if new.para == before["destinacao"]:
            raise InvalidData({"para": _("O imóvel já é “%(use)s”.", use=new.para.label)})
        if wrong := rules.wrong_act(before["destinacao"], new.para, new.ato):
            raise InvalidData({"ato": wrong})
        shared = {**new.model_dump(), "de": before["destinacao"], "registrada_por": ctx.actor}
        own = {"imovel_id": id_, "setor_id": before["setor_id"]}
        (made,) = await record_sql.inserir(ctx.conn, DESTINACOES.table, shared, [own])
        await record(ctx, DESTINACOES, made, "destinar_imovel", None, {**own, **shared})
        await _save(ctx, before, {"destinacao": new.para}, "destinar_imovel")
        return await obter(ctx, DESTINACOES, made)


async def baixar(ctx: Context, id_: UUID, new: NovaBaixaDeImovel, today: dt.date) -> str:
    """Write an imóvel off, with what its motive asks for; the document (JSON) of the write-off."""
    ctx.access.require(rules.BAIXAR)
    _require_past(new.data, today, "data")
    wrong = rules.missing_of_baixa(new.motivo, new.model_dump())
    if new.data_lei is not None and new.data_lei > new.data:
        wrong.setdefault("data_lei", _("A lei autoriza antes da baixa: confira as datas."))
    if wrong:
        raise InvalidData(wrong)
    commission = Acting("", "")
    if new.comissao_id is not None:
        commission = await acting(ctx, new.comissao_id, FinalidadeDaComissao.AVALIACAO, new.data)
    async with ctx.conn.transaction():
        before = await _locked(ctx, id_)
        _require_in_books(before)
        if why := rules.why_not_alienated(new.motivo, before["destinacao"], before["posse"]):
            raise InvalidData({"motivo": why})
        kept = {name: before[name] for name in ("setor_id", "destinacao", "posse", "valor_terreno", "valor_edificacao")}
        shared = {**new.model_dump(), **kept, **commission._asdict(), "registrada_por": ctx.actor}
        try:
            (made,) = await record_sql.inserir(ctx.conn, BAIXAS.table, shared, [{"imovel_id": id_}])
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        await record(ctx, BAIXAS, made, "baixar", None, {"imovel_id": id_, **shared})
        await _save(ctx, before, {"estado": EstadoDoImovel.BAIXADO}, "baixar")
        return await obter(ctx, BAIXAS, made)


async def estornar(ctx: Context, id_: UUID, undone: EstornoDeBaixaDeImovel) -> str:
    """Take a write-off back: the imóvel is in the books again; the document (JSON) of the write-off."""
    ctx.access.require(rules.ESTORNAR)
    async with ctx.conn.transaction():
        found = await record_sql.travar(ctx.conn, BAIXAS.table, ctx.access.setores, id_)
        if found is None:
            raise NotFound(str(BAIXAS.entity.label), id_)
        if found["estado"] != rules.EstadoDaBaixaDeImovel.EFETIVA:
            number, state = found["numero"], rules.EstadoDaBaixaDeImovel(found["estado"]).label
            raise InvalidData(
                {"estado": _("O registro nº %(number)s já está “%(state)s”.", number=number, state=state)}
            )
        before = await _locked(ctx, found["imovel_id"])
        changes = {**undone.model_dump(), "estornada_em": dt.datetime.now(dt.UTC), "estornada_por": ctx.actor}
        await record_sql.atualizar(ctx.conn, BAIXAS.table, id_, changes)
        await record(ctx, BAIXAS, id_, "estornar_baixa", {name: found[name] for name in changes}, changes)
        await _save(ctx, before, {"estado": EstadoDoImovel.ATIVO}, "estornar_baixa")
        return await obter(ctx, BAIXAS, id_)


async def passar_toda_a_carga(ctx: Context, de: UUID, para: UUID) -> int:
    """Give all imóveis of an agente to another one; how many. The permission is the use case's to ask."""
    try:
        return await sql.passar_toda_a_carga(ctx.conn, de, para, ctx.author)
    except errors.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error


async def _locked(ctx: Context, id_: UUID) -> dict[str, Any]:
    found = await record_sql.travar(ctx.conn, IMOVEIS.table, ctx.access.setores, id_)
    if found is None:
        raise NotFound(_("O imóvel"), id_)
    return found


async def _save(ctx: Context, before: Mapping[str, Any], changes: Mapping[str, Any], action: str) -> None:
    """Change columns of a locked imóvel, audited."""
    try:
        await record_sql.atualizar(ctx.conn, IMOVEIS.table, before["id"], changes)
    except errors.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error
    await record(ctx, IMOVEIS, before["id"], action, {name: before[name] for name in changes}, changes)


def _require_in_books(found: Mapping[str, Any]) -> None:
    if found["estado"] != EstadoDoImovel.ATIVO:
        raise InvalidData({"estado": _("O imóvel está baixado e não pode mais ser alterado.")})


def _require_past(date: dt.date, today: dt.date, field: str) -> None:
    if date > today:
        raise InvalidData({field: _("Este dia ainda não chegou.")})
