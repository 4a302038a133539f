"""The documents of a record, as its card and lists of records show them: for the macros of `documentos/macros.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sispat.documentos import actions, rules
from sispat.documentos.rules import TipoDeDocumento
from sispat.http.session import RequestContext
from sispat.http.slices import site_of
from sispat.kernel.formats import decimal

__all__ = ["Card", "Item", "Summary", "documents_of", "shown_size", "summaries_of"]


@dataclass(frozen=True, slots=True)
class Item:
    """One document: its picture (None: there is none), where it is read, and what this person may do with it."""

    name: str
    kind: str
    description: str
    size: str
    by: str
    at: Any
    path: str
    picture: str
    main: bool
    removable: bool
    choosable: bool


@dataclass(frozen=True, slots=True)
class Card:
    """`add` is where documents are attached; empty for whoever may not, or where nothing of the record changes any more."""

    photos: list[Item]
    others: list[Item]
    add: str

    @property
    def main(self) -> Item | None:
        """The photo that the record is shown with."""
        return next((each for each in self.photos if each.main), None)


@dataclass(frozen=True, slots=True)
class Summary:
    """The documents of a record of a list: how many, and where its small picture is (empty: it has none)."""

    number: int
    picture: str


async def summaries_of(ctx: RequestContext, entidade: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Summary]:
    """Of the records of a list, by id; what has no documents is left out."""
    found = await actions.da_lista(ctx, entidade, [UUID(row["id"]) for row in rows])
    return {id_: Summary(n, f"/documentos/{photo}/miniatura" if photo else "") for id_, (n, photo) in found.items()}


async def documents_of(ctx: RequestContext, entidade: str, id_: UUID, *, changes: bool = True) -> Card:
    """Of the record whose card is being shown; `changes`: whether documents may still be attached to it and removed."""
    of = site_of(ctx.request).attachables[entidade]
    photos: list[Item] = []
    others: list[Item] = []
    may = changes and ctx.access.may(of.action)
    for row in await actions.da_ficha(ctx, of, id_):
        photo = row["tipo"] == TipoDeDocumento.FOTO and row["largura"] is not None
        removable = may and rules.may_remove(ctx.access, of.action, row["enviado_por_id"])
        (photos if photo else others).append(_item(row, photo=photo, may=may, removable=removable))
    return Card(photos, others, f"/documentos/{entidade}/{id_}/novo" if may else "")


def _item(row: dict[str, Any], *, photo: bool, may: bool, removable: bool) -> Item:
    path = f"/documentos/{row['id']}"
    return Item(
        name=row["nome"],
        kind=TipoDeDocumento(row["tipo"]).label,
        description=row["descricao"],
        size=shown_size(row["tamanho"]),
        by=row["enviado_por"],
        at=row["enviado_em"],
        path=path,
        picture=f"{path}/miniatura" if row["largura"] is not None else "",
        main=row["principal"],
        removable=removable,
        choosable=may and photo and not row["principal"],
    )


def shown_size(size: int) -> str:
    """Bytes as people read them."""
    return f"{decimal(size / (1 << 20), 1)} MB" if size >= 1 << 20 else f"{max(1, round(size / 1024))} kB"
