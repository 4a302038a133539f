"""Assets: find, register, correct, hand over.

Promises: nobody sees or touches an asset outside their setores (it "does not exist" for them); a number
is given once; of two people saving the same version exactly one wins, the other is shown both; every
change is audited in the same transaction.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.cadastros import actions as cadastros
from sispat.kernel import audit
from sispat.kernel.audit import Author
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound, SispatError, VersionConflict
from sispat.kernel.formats import plate_number
from sispat.kernel.i18n import _, lazy
from sispat.kernel.patches import Patch
from sispat.patrimonios import privacy, rules, sql
from sispat.patrimonios.fields import EdicaoDePatrimonio, ItemDoLote, NovoPatrimonio, TrocaDeCarga
from sispat.patrimonios.listing import ListaDePatrimonios, ListPage, page_query, walked

__all__ = [
    "CONSTRAINTS", "Key", "com_numero", "contar", "corrigir", "criar", "criar_juntos", "criar_lote", "editar", "exportar",
    "garantias", "historico", "liquidos", "listar", "lote_exportado", "meant", "numeros", "obter",
    "require_agente", "require_alterable", "trocar_carga",
]  # fmt: skip

CONSTRAINTS = {
    "patrimonio_classe_id_fkey": ("classe_id", lazy("A classe escolhida não existe.")),
    "patrimonio_setor_id_fkey": ("setor_id", lazy("O setor escolhido não existe.")),
    "patrimonio_local_fk": ("local_id", lazy("O local escolhido não pertence a este setor.")),
    "patrimonio_agente_id_fkey": ("agente_id", lazy("O agente escolhido não existe.")),
    "patrimonio_classe_em_uso": ("classe_id", lazy("A classe escolhida não está mais em uso. Escolha outra.")),
    "patrimonio_setor_em_uso": ("setor_id", lazy("O setor escolhido não está mais em uso. Escolha outro.")),
    "patrimonio_local_em_uso": ("local_id", lazy("O local escolhido não está mais em uso. Escolha outro.")),
    "patrimonio_agente_em_uso": ("agente_id", lazy("O agente escolhido não está mais em uso. Escolha outro.")),
    "patrimonio_setor_fixo_fora": (
        "setor_id",
        lazy("Um bem emprestado, em manutenção ou em transferência não muda de setor. Primeiro ele volta."),
    ),
    "patrimonio_disponivel_apos_aquisicao": (
        "data_disponivel",
        lazy("A data deve ser igual ou posterior à de aquisição."),
    ),
}


async def listar(ctx: Context, asked: ListaDePatrimonios) -> ListPage:
    """One page, walked by key."""
    ctx.access.require(rules.VER)
    return walked(asked, await sql.listar(ctx.conn, await meant(ctx, page_query(asked, ctx.access.setores))))


async def contar(ctx: Context, asked: ListaDePatrimonios, ceiling: int = 1000) -> int:
    """How many match, counted no further than `ceiling` + 1."""
    ctx.access.require(rules.VER)
    return await sql.contar(ctx.conn, await meant(ctx, asked.query(ctx.access.setores)), ceiling)


async def exportar(ctx: Context, asked: ListaDePatrimonios) -> None:
    """Note in the audit that this person takes what `asked` matches out of the service, before the first line leaves."""
    ctx.access.require(rules.VER)
    await audit.record_export(ctx.conn, ctx.author, "exportar_bens", asked)


Key = tuple[str, int]
"""Where a lot of an export ends: value of its sort, and number."""


async def lote_exportado(
    ctx: Context, asked: ListaDePatrimonios, after: Key | None, size: int = 2000
) -> tuple[list[dict[str, Any]], Key | None]:
    """The next assets of an export, and the key to go on from; None: these are the last."""
    ctx.access.require(rules.VER)
    query = await meant(ctx, asked.query(ctx.access.setores))
    rows = await sql.listar(ctx.conn, replace(query, after=after or query.after, limit=size, whole=True))
    following = (rows[-1].key, rows[-1].numero) if len(rows) == size else None
    return [json.loads(privacy.document(ctx.access, row.document)) for row in rows], following


async def meant(ctx: Context, query: sql.Query) -> sql.Query:
    """`query`, with the agentes that its words may mean, and without the CPFs that this person does not see."""
    if not query.q:
        return query
    agentes = await cadastros.agentes_chamados(ctx, query.q)
    return replace(query, agentes=agentes, cpf_hidden=privacy.hidden_from(ctx.access))


async def garantias(ctx: Context, since: dt.date, until: dt.date, limit: int) -> list[dict[str, Any]]:
    """The assets within reach whose warranty ends between these days, the first that end."""
    ctx.access.require(rules.VER)
    return await sql.garantias(ctx.conn, ctx.access.setores, since, until, limit)


async def com_numero(ctx: Context, numero: int) -> UUID | None:
    """The asset within reach that carries this plate number, or None."""
    ctx.access.require(rules.VER)
    return await sql.com_numero(ctx.conn, ctx.access.setores, numero)


async def liquidos(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """What assets of a list that this person sees were worth at the end of the last closed month."""
    ctx.access.require(rules.VER)
    return await sql.liquidos(ctx.conn, ids) if ids else {}


async def numeros(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The plate numbers of the assets among `ids`, which somebody's history names."""
    ctx.access.require(rules.VER)
    return {id_: plate_number(numero) for id_, numero in (await sql.numeros(ctx.conn, ids)).items()}


async def obter(ctx: Context, id_: UUID) -> str:
    """The document (JSON) of one asset."""
    ctx.access.require(rules.VER)
    document = await sql.ficha(ctx.conn, ctx.access.setores, id_)
    if document is None:
        raise NotFound(_("O bem"), id_)
    return privacy.document(ctx.access, document)


async def require_alterable(ctx: Context, id_: UUID) -> None:
    """Raise `InvalidData` for an asset of which nothing changes any more."""
    rules.require_alterable(json.loads(await obter(ctx, id_))["situacao"])


async def historico(ctx: Context, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one asset within reach, newest first."""
    await obter(ctx, id_)
    return privacy.events(ctx.access, await audit.history(ctx.conn, id_))


async def criar(ctx: Context, new: NovoPatrimonio) -> list[str]:
    """Register `new.quantidade` equal assets; their documents (JSON), numbers consecutive."""
    await _require_creatable(ctx, new)
    try:
        await ctx.turn.take()
        return await sql.criar(ctx.conn, new.columns(), new.quantidade, ctx.author, new.numeros_serie)
    except errors.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error


async def criar_juntos(asked: Sequence[tuple[Context, NovoPatrimonio]]) -> list[str | None]:
    """Register an asset for each who asks, all in one transaction; their documents (JSON), numbers consecutive.

    None for whoever may not do it, or asks for several: nothing is done for them. Raises for all what the database refuses.
    """
    documents: list[str | None] = [None] * len(asked)
    rows = {
        place: (new.columns(), ctx.author)
        for place, (ctx, new) in enumerate(asked)
        if new.quantidade == 1 and not new.numeros_serie and await _is_creatable(ctx, new)
    }
    if rows:
        ctx, _ = asked[0]
        await ctx.turn.take()
        for place, document in zip(rows, await sql.criar_juntos(ctx.conn, list(rows.values())), strict=True):
            documents[place] = document
    return documents


async def _is_creatable(ctx: Context, new: NovoPatrimonio) -> bool:
    try:
        await _require_creatable(ctx, new)
    except SispatError:
        return False
    return True


async def _require_creatable(ctx: Context, new: NovoPatrimonio) -> None:
    ctx.access.require(rules.CRIAR)
    _require_reach(ctx, new.setor_id)
    await require_agente(ctx, new.agente_id)


async def criar_lote(ctx: Context, new: Sequence[ItemDoLote]) -> list[str]:
    """Register different assets at once, all or none; their documents (JSON) in the order of `new`.

    An error names the item, `items.3.valor` being of the fourth.
    """
    ctx.access.require(rules.CRIAR)
    for position, each in enumerate(new):
        with _of_item(position):
            _require_reach(ctx, each.setor_id)
            await require_agente(ctx, each.agente_id)
    await ctx.turn.take()
    rows = [(each.columns(), ctx.author) for each in new]
    try:
        async with ctx.conn.transaction():
            return await sql.criar_juntos(ctx.conn, rows)
    except errors.IntegrityError as failure:
        position, error = await _first_refused(ctx, rows, failure)
        with _of_item(position):
            raise explained(error, CONSTRAINTS) from error


async def _first_refused(
    ctx: Context, rows: Sequence[tuple[Mapping[str, Any], Author]], failure: errors.IntegrityError
) -> tuple[int, errors.IntegrityError]:
    """Which row it was: sent together, PostgreSQL does not say. One by one, on the way to undoing it all."""
    async with ctx.conn.transaction(force_rollback=True):
        for position, row in enumerate(rows):
            try:
                await sql.criar_juntos(ctx.conn, [row])
            except errors.IntegrityError as error:
                return position, error
    raise failure


@contextmanager
def _of_item(position: int) -> Iterator[None]:
    try:
        yield
    except InvalidData as error:
        raise InvalidData({f"items.{position}.{field}": text for field, text in error.fields.items()}) from error


async def editar(ctx: Context, id_: UUID, edited: EdicaoDePatrimonio, version: int) -> str:
    """Correct what describes an asset; its document (JSON). Raises `VersionConflict` when somebody was faster."""
    ctx.access.require(rules.EDITAR)
    new = edited.columns()
    return await _change(ctx, id_, lambda _: new, version, "editar", sent=new)


async def corrigir(ctx: Context, id_: UUID, patch: Patch, version: int) -> str:
    """Correct some fields of an asset, as `editar` does."""
    ctx.access.require(rules.EDITAR)

    def corrected(before: Mapping[str, Any]) -> dict[str, Any]:
        return patch.applied(EdicaoDePatrimonio, before).columns()

    return await _change(ctx, id_, corrected, version, "editar", sent=patch.model_dump(exclude_unset=True))


async def trocar_carga(ctx: Context, id_: UUID, troca: TrocaDeCarga, version: int) -> str:
    """Put an asset into other custody; its document (JSON) as stored."""
    ctx.access.require(rules.TROCAR_CARGA)
    _require_reach(ctx, troca.setor_id)
    new = troca.model_dump()
    return await _change(ctx, id_, lambda _: new, version, "trocar_carga", sent=new)


async def _change(
    ctx: Context, id_: UUID, new_of: Callable[[Mapping[str, Any]], Mapping[str, Any]], version: int, action: str,
    *, sent: Mapping[str, Any],
) -> str:  # fmt: skip
    async with ctx.conn.transaction():
        before = await sql.bloquear(ctx.conn, ctx.access.setores, id_)
        if before is None:
            raise NotFound(_("O bem"), id_)
        if before["versao"] != version:
            current = json.loads(await obter(ctx, id_))
            raise VersionConflict(_("O bem"), f"{before['numero']:06}", current=current, sent=sent)
        rules.require_alterable(before["situacao"])
        changes = {field: value for field, value in new_of(before).items() if before[field] != value}
        if "agente_id" in changes:
            await require_agente(ctx, changes["agente_id"])
        if changes:
            try:
                await sql.gravar(ctx.conn, id_, before, changes, action, ctx.author)
            except errors.IntegrityError as error:
                raise explained(error, CONSTRAINTS) from error
        return await obter(ctx, id_)


def _require_reach(ctx: Context, setor_id: UUID) -> None:
    if not ctx.access.reaches(setor_id):
        raise InvalidData({"setor_id": _("O setor escolhido não existe ou não está ao seu alcance.")})


async def require_agente(ctx: Context, id_: UUID) -> None:
    """Who is limited to setores gives assets only to agentes of these; whoever has an asset already may keep it."""
    if ctx.access.setores is None:
        return
    try:
        await cadastros.obter(ctx, "agente", id_)
    except NotFound:
        raise InvalidData({"agente_id": _("O agente escolhido não existe ou não está ao seu alcance.")}) from None
