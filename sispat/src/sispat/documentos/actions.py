"""Documents: attach, list, read, remove, choose the main photo.

Promises: whoever does not see a record sees none of its documents; all files of one submission are attached, or none; a
content is on the disk before the transaction that refers to it commits; every change is audited with the record that it is
about. The limits of files themselves are kept before, by `sispat.http.upload` and `sispat.kernel.files`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sispat.documentos import rules, sql
from sispat.documentos.fields import NovoDocumento
from sispat.documentos.rules import TipoDeDocumento
from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.files import IMAGES, Attachable, FileStore, Inspected
from sispat.kernel.i18n import _

__all__ = [
    "Attachables", "anexar", "da_ficha", "da_lista", "listar", "obter", "of_kind", "remover", "require_changeable",
    "require_picture", "tornar_principal",
]  # fmt: skip

Attachables = Mapping[str, Attachable]


def of_kind(attachables: Attachables, entidade: str) -> Attachable:
    """What is known of records of a kind; raises `NotFound`."""
    try:
        return attachables[entidade]
    except KeyError:
        raise NotFound(_("A entidade"), entidade) from None


async def listar(ctx: Context, of: Attachable, id_: UUID) -> list[dict[str, Any]]:
    """The documents of a record within reach."""
    await _require_seen(ctx, of, id_)
    return await sql.listar(ctx.conn, of.entity.name, id_)


async def da_ficha(ctx: Context, of: Attachable, id_: UUID) -> list[dict[str, Any]]:
    """The documents of a record whose card is being shown: that it is within reach was asked for the card."""
    ctx.access.require(rules.VER)
    return await sql.listar(ctx.conn, of.entity.name, id_)


async def da_lista(ctx: Context, entidade: str, ids: Sequence[UUID]) -> dict[str, tuple[int, UUID | None]]:
    """Of records whose list is being shown, by id: how many documents, and the main photo; of none, nothing."""
    if not ids or not ctx.access.may(rules.VER):
        return {}
    return {str(id_): (number, photo) for id_, number, photo in await sql.resumir(ctx.conn, entidade, ids)}


async def obter(ctx: Context, attachables: Attachables, id_: UUID) -> dict[str, Any]:
    """One document of a record within reach."""
    ctx.access.require(rules.VER)
    row = await sql.ler(ctx.conn, id_)
    if row is None:
        raise NotFound(_("O documento"), id_)
    try:
        await _require_seen(ctx, of_kind(attachables, row["entidade"]), row["entidade_id"])
    except NotFound:
        raise NotFound(_("O documento"), id_) from None
    return row


async def anexar(
    ctx: Context, store: FileStore, of: Attachable, id_: UUID, new: NovoDocumento, files: Sequence[Inspected], most: int
) -> list[dict[str, Any]]:
    """Attach `files` to a record of at most `most` documents; those attached. Raises `InvalidData`: then none is attached."""
    await require_changeable(ctx, of, id_)
    entity = of.entity.name
    async with ctx.conn.transaction():
        # Two who attach at once must not both be the first photo, nor both the last one that there is room for.
        await sql.travar_registro(ctx.conn, entity, id_)
        present = await sql.listar(ctx.conn, entity, id_)
        _require_new(files, present)
        if len(present) + len(files) > most:
            raise InvalidData(
                {"arquivo": _("Há lugar para %(most)s arquivos, e já são %(now)s.", most=most, now=len(present))}
            )
        await sql.reivindicar(ctx.conn, files)
        for each in files:  # under the locks just taken: see documentos.sql
            await asyncio.to_thread(store.place, each)
        has_main = any(row["principal"] for row in present)
        for each in files:
            tipo = new.tipo or (TipoDeDocumento.FOTO if each.format in IMAGES else TipoDeDocumento.OUTRO)
            main = not has_main and tipo is TipoDeDocumento.FOTO and each.format in IMAGES
            has_main = has_main or main
            await sql.inserir(
                ctx.conn, entity, id_, each, tipo=tipo, descricao=new.descricao, principal=main, por=ctx.actor
            )
            await _record(ctx, of, id_, "anexar_documento", {}, _told(each.name, tipo, each.size, each.sha256))
        known = {row["id"] for row in present}
        return [row for row in await sql.listar(ctx.conn, entity, id_) if row["id"] not in known]


async def remover(ctx: Context, attachables: Attachables, id_: UUID) -> dict[str, Any]:
    """Detach a document from its record; what it was. Its content stays for as long as a restore may need it."""
    row = await obter(ctx, attachables, id_)
    of = of_kind(attachables, row["entidade"])
    await require_changeable(ctx, of, row["entidade_id"])
    if not rules.may_remove(ctx.access, of.action, row["enviado_por_id"]):
        raise InvalidData({"documento": _("Só quem o anexou, ou um gestor, remove este documento.")})
    async with ctx.conn.transaction():
        await sql.travar_registro(ctx.conn, row["entidade"], row["entidade_id"])
        if not await sql.remover(ctx.conn, id_, row["sha256"]):
            raise NotFound(_("O documento"), id_)
        if row["principal"]:
            await sql.tornar_principal(ctx.conn, row["entidade"], row["entidade_id"], None)
        told = _told(row["nome"], row["tipo"], row["tamanho"], row["sha256"])
        await _record(ctx, of, row["entidade_id"], "remover_documento", told, {})
    return row


async def tornar_principal(ctx: Context, attachables: Attachables, id_: UUID) -> dict[str, Any]:
    """Let a photo be the one that its record is shown with; what it is now."""
    row = await obter(ctx, attachables, id_)
    of = of_kind(attachables, row["entidade"])
    await require_changeable(ctx, of, row["entidade_id"])
    if row["tipo"] != TipoDeDocumento.FOTO or row["largura"] is None:
        raise InvalidData({"documento": _("Só uma foto pode ser a principal.")})
    if not row["principal"]:
        async with ctx.conn.transaction():
            await sql.travar_registro(ctx.conn, row["entidade"], row["entidade_id"])
            await sql.tornar_principal(ctx.conn, row["entidade"], row["entidade_id"], id_)
            await _record(ctx, of, row["entidade_id"], "escolher_foto_principal", {}, {"documento": row["nome"]})
    return await obter(ctx, attachables, id_)


async def require_changeable(ctx: Context, of: Attachable, id_: UUID) -> None:
    """Raise what keeps this person from attaching documents to a record, and from removing them."""
    ctx.access.require(of.action)
    await _require_seen(ctx, of, id_)
    if of.change is not None:
        await of.change(ctx, id_)


async def _require_seen(ctx: Context, of: Attachable, id_: UUID) -> None:
    ctx.access.require(rules.VER)
    await of.see(ctx, id_)


def _require_new(files: Sequence[Inspected], present: Sequence[Mapping[str, Any]]) -> None:
    names = {bytes(row["sha256"]): row["nome"] for row in present}
    for each in files:
        known = names.get(each.sha256)
        if known is not None:
            raise InvalidData(
                {"arquivo": _("“%(name)s” já está anexado, como “%(known)s”.", name=each.name, known=known)}
            )
        names[each.sha256] = each.name


def _told(nome: str, tipo: str, tamanho: int, sha256: bytes) -> dict[str, Any]:
    return {"documento": nome, "tipo_de_documento": str(tipo), "tamanho": tamanho, "sha256": sha256.hex()}


async def _record(
    ctx: Context, of: Attachable, id_: UUID, acao: str, antes: Mapping[str, Any], depois: Mapping[str, Any]
) -> None:
    await audit.record(
        ctx.conn,
        actor=ctx.actor,
        key_id=ctx.key_id,
        request_id=ctx.request_id,
        entidade=of.entity.name,
        entidade_id=id_,
        acao=acao,
        antes=antes,
        depois=depois,
    )


def require_picture(row: Mapping[str, Any]) -> None:
    """Raise `NotFound` for a document that has no small picture."""
    if row["largura"] is None:
        raise NotFound(_("A miniatura de"), row["nome"])
