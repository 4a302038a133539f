"""Numbered records of a kind, and what is read of them, the same for all kinds: one, a list, the history, an export.

Promises: the permission is asked first; nobody reads what is out of reach; what leaves as a file is audited before its first
line does.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from sispat.kernel import audit, record_sql
from sispat.kernel.brazil import mask_cpf
from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.fields import Entity, FieldSpec, Ui
from sispat.kernel.inputs import BlankIsNone
from sispat.kernel.labelled import Labelled
from sispat.kernel.paging import ListPage, Paged, cursor_at, place_of
from sispat.kernel.permissions import Access, Action
from sispat.kernel.record_sql import Condition, Query, Table

__all__ = [
    "Due", "Kind", "ListaDeRegistros", "ListaPorSetor", "exportar", "historico", "listar", "lote_exportado", "numbers_of",
    "obter", "query_of", "record", "totais",
]  # fmt: skip


class ListaDeRegistros(Paged):
    """What the list of any kind may be asked for; newest first."""

    estado: Annotated[str | None, Ui("Estado")] = None

    def conditions(self, kind: Kind, today: dt.date) -> list[Condition]:
        """What the filters mean in SQL; what is due is asked for by its date."""
        if kind.due is not None and self.estado == kind.due.late:
            # By the column and not by the state, as the index of what is open says it. Whether many are late, so that a page
            # of the newest is soon full, or few, which are then collected, is the planner's to know.
            return [(f"m.{kind.due.ends} is null and m.{kind.due.day} < %s", today)]
        return [] if self.estado is None else [("m.estado = %s", self.estado)]

    def is_about_few(self) -> bool | None:
        """Whether what the filters find is collected, not walked to (`record_sql.Query.few`)."""
        return False

    def order(self) -> str:
        """The sort, with a minus where it descends."""
        return "-numero"

    def within(self, access: Access) -> Sequence[UUID] | None:
        """The setores that are looked into; None: the whole city."""
        return access.setores


class ListaPorSetor(ListaDeRegistros):
    """The same, narrowed to a setor."""

    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor", refers_to="setor")] = None

    def within(self, access: Access) -> Sequence[UUID] | None:
        """That setor alone; one out of reach is walked as none."""
        if self.setor is None:
            return access.setores
        return (self.setor,) if access.reaches(self.setor) else ()


class Due(NamedTuple):
    """What is open is late after its day: the two states, the column that is null until it ends, that of the day."""

    open: str
    late: str
    ends: str
    day: str = "previsao"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind: `plural` is its address, `columns` what its list shows beside number and state.

    `new` is what its form is called, where a list offers it, and `action` who may fill that in; `view` who may read.
    `exported` is what the audit calls an export.
    """

    table: Table
    plural: str
    title: str
    help: str
    new: str
    action: Action
    view: Action
    exported: str
    estados: type[Labelled]
    asked: type[ListaDeRegistros]
    columns: tuple[str, ...]
    due: Due | None = None
    acts: tuple[tuple[str, str, str, Action], ...] = ()
    """What its card offers: the state in which it does, the end of the address, the label, who may."""
    made_at: str = "nova"
    """The end of the address of the form; empty: its list offers none."""
    searched_by: str = ""
    """What the words of a search are looked for in, where there is one (`q`)."""
    sort_labels: Mapping[str, str] = field(default_factory=dict)
    """The orders that its list offers, where there are several (`sort`)."""
    summed: tuple[str, ...] = ()
    """The columns that its list adds up."""

    @property
    def entity(self) -> Entity:
        """Its table of fields."""
        return self.table.entity

    @property
    def path(self) -> str:
        """Of its list."""
        return f"/{self.plural}"

    def shown_state(self, stored: Mapping[str, Any], today: dt.date) -> Labelled:
        """The state as people see it: what is open after its day is late."""
        state = self.estados(stored["estado"])
        if self.due and state == self.due.open and stored[self.due.day] and stored[self.due.day] < today.isoformat():
            return self.estados(self.due.late)
        return state

    @property
    def listed(self) -> list[FieldSpec]:
        """What its list shows beside number and state."""
        return [self.entity.fields[column] for column in self.columns]


async def obter(ctx: Context, kind: Kind, id_: UUID) -> str:
    """The document (JSON) of one record within reach."""
    ctx.access.require(kind.view)
    document = await record_sql.ler(ctx.conn, kind.table, ctx.access.setores, id_)
    if document is None:
        raise NotFound(str(kind.entity.label), id_)
    return document


async def listar(ctx: Context, kind: Kind, asked: ListaDeRegistros, today: dt.date) -> ListPage:
    """One page, walked by key; `today` decides what is late."""
    ctx.access.require(kind.view)
    rows = await record_sql.listar(ctx.conn, kind.table, query_of(ctx, kind, asked, today, asked.limit + 1))
    shown = rows[: asked.limit]
    following = cursor_at(_list_name(kind, asked), shown[-1].place) if len(rows) > asked.limit else None
    return ListPage([row.document for row in shown], following)


def query_of(ctx: Context, kind: Kind, asked: ListaDeRegistros, today: dt.date, limit: int) -> Query:
    """What `asked` means in SQL, within reach."""
    order = asked.order()
    sort = order.removeprefix("-")
    return Query(
        setores=asked.within(ctx.access),
        conditions=asked.conditions(kind, today),
        after=place_of(_list_name(kind, asked), asked.cursor, kind.table.sorts[sort][1]),
        limit=limit,
        few=asked.is_about_few(),
        sort=sort,
        descending=order.startswith("-"),
    )


def _list_name(kind: Kind, asked: ListaDeRegistros) -> str:
    return f"{kind.entity.name} {asked.order()}"


async def totais(
    ctx: Context, kind: Kind, asked: ListaDeRegistros, today: dt.date, columns: Sequence[str], ceiling: int
) -> record_sql.Sums:
    """How many records match and the sums of columns over them, looking at no more than `ceiling` + 1."""
    ctx.access.require(kind.view)
    return await record_sql.somar(ctx.conn, kind.table, query_of(ctx, kind, asked, today, ceiling + 1), columns)


async def historico(ctx: Context, kind: Kind, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one record within reach, newest first."""
    await obter(ctx, kind, id_)
    return await audit.history(ctx.conn, id_)


async def exportar(ctx: Context, kind: Kind, asked: ListaDeRegistros) -> None:
    """Note in the audit that this person takes what `asked` finds out of the service, before the first line leaves."""
    ctx.access.require(kind.view)
    await audit.record_export(ctx.conn, ctx.author, kind.exported, asked, lista=kind.plural)


async def lote_exportado(
    ctx: Context, kind: Kind, asked: ListaDeRegistros, today: dt.date, after: str | None, size: int = 2000
) -> tuple[list[dict[str, Any]], str | None]:
    """The next records of an export, and the cursor to go on from; None: these are the last."""
    ctx.access.require(kind.view)
    asked = asked if after is None else asked.model_copy(update={"cursor": after})
    rows = await record_sql.listar(ctx.conn, kind.table, query_of(ctx, kind, asked, today, size))
    following = cursor_at(_list_name(kind, asked), rows[-1].place) if len(rows) == size else None
    return [json.loads(row.document) for row in rows], following


async def numbers_of(ctx: Context, kinds: Sequence[Kind], ids: Sequence[UUID]) -> dict[UUID, str]:
    """The numbers of the records of these kinds among `ids`, which somebody's history names."""
    ctx.access.require(kinds[0].view)
    found = await record_sql.numeros(ctx.conn, [kind.table.name for kind in kinds], ids)
    return {id_: str(numero) for id_, numero in found.items()}


async def record(
    ctx: Context, kind: Kind, id_: UUID, action: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> None:
    """Write into the audit what was done; a CPF only in part, as everywhere outside of its own column."""
    told = {name: _told(name, value) for name, value in after.items()}
    await audit.record(
        ctx.conn, actor=ctx.actor, key_id=ctx.key_id, request_id=ctx.request_id, entidade=kind.entity.name, entidade_id=id_,
        acao=action, antes=before, depois=told,
    )  # fmt: skip


def _told(name: str, value: Any) -> Any:
    return mask_cpf(value) if name.endswith("_doc") and isinstance(value, str) and len(value) == 11 else value
